//! The units that systemd stops together with a unit.
//!
//! They stay down when the unit is started again, so somebody has to start them: see `start.rs`.

use std::collections::HashSet;
use std::fs;

use crate::properties::Properties;
use crate::systemd::Systemd;
use crate::{ServiceError, ServiceResult, UnitName};

/// The dependencies along which a stop travels (`UNIT_ATOM_PROPAGATE_STOP` in systemd's
/// unit-dependency-atom.c): the other ends of `Requires=`, `Requisite=`, `BindsTo=`, `PartOf=`, and
/// `PropagatesStopTo=`.
const ALONG: [&str; 5] = ["RequiredBy", "RequisiteOf", "BoundBy", "ConsistsOf", "PropagatesStopTo"];

/// The units that stop along with `unit` and are up or on their way up, nearest first: the order in which
/// they can be started.
///
/// # Errors
/// systemd did not answer.
pub(crate) fn active(systemd: &Systemd, unit: &UnitName) -> ServiceResult<Vec<UnitName>> {
    let properties = format!("Id,ActiveState,{}", ALONG.join(","));
    let mut seen = HashSet::from([unit.clone()]);
    let mut active = Vec::new();
    let mut ring = vec![unit.clone()];
    while !ring.is_empty() {
        let units = systemd.show(&properties, &ring.iter().collect::<Vec<_>>())?;
        ring = Vec::new();
        for properties in &units {
            let name: Option<UnitName> = properties.get("Id").parse().ok();
            let is_up =
                matches!(properties.get("ActiveState"), "active" | "reloading" | "refreshing" | "activating");
            active.extend(name.filter(|name| is_up && name != unit));
            // A stop travels through a unit that is down, too.
            ring.extend(neighbours(properties).filter(|next| seen.insert(next.clone())));
        }
    }
    Ok(active)
}

fn neighbours(unit: &Properties) -> impl Iterator<Item = UnitName> {
    ALONG.iter().flat_map(|property| unit.list(property)).filter_map(|name| name.parse().ok())
}

/// Refuses a stop that would take this process with it.
///
/// # Errors
/// [`ServiceError::WouldStopUs`].
pub(crate) fn spare_us(unit: &UnitName, dependents: &[UnitName]) -> ServiceResult<()> {
    // Without /proc nothing can be said against it.
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    match ours(&groups, std::iter::once(unit).chain(dependents)) {
        None => Ok(()),
        Some(own) => Err(ServiceError::WouldStopUs { unit: unit.clone(), own: own.clone() }),
    }
}

/// The unit among `units` whose control group is one of `groups`, in the form of cgroups(7).
fn ours<'a>(groups: &str, units: impl Iterator<Item = &'a UnitName>) -> Option<&'a UnitName> {
    let names: HashSet<&str> = groups
        .lines()
        .filter_map(|line| line.splitn(3, ':').nth(2))
        .flat_map(|path| path.split('/'))
        .collect();
    units.into_iter().find(|unit| names.contains(unit.as_str()))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn this_process_is_found_in_the_units_to_stop() {
        let units: Vec<UnitName> = ["loom", "loom-backup"].map(|name| name.parse().unwrap()).to_vec();
        let own = |groups| ours(groups, units.iter()).map(UnitName::as_str);
        assert_eq!(own("0::/system.slice/loom-backup.service\n"), Some("loom-backup.service"));
        assert_eq!(own("3:cpu:/\n1:name=systemd:/system.slice/loom.service/x\n"), Some("loom.service"));
        assert_eq!(own("0::/system.slice/loom-backup.service.d\n"), None);
        assert_eq!(own(""), None);
    }
}
