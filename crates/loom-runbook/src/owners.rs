//! Users and groups by number and by name, as this machine knows them.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use loom_repository::Owner;
use nix::unistd::{Gid, Group, Uid, User};

/// Looks names and numbers up once each: a home has two owners and a million files.
#[derive(Debug, Default)]
pub(crate) struct Owners {
    users: Mutex<HashMap<u32, Option<Arc<str>>>>,
    groups: Mutex<HashMap<u32, Option<Arc<str>>>>,
}

impl Owners {
    /// The owner with these numbers, with the names that they have here.
    pub(crate) fn named(&self, uid: u32, gid: u32) -> Owner {
        let user = cached(&self.users, uid, || User::from_uid(Uid::from_raw(uid)).ok()?.map(|u| u.name));
        let group = cached(&self.groups, gid, || Group::from_gid(Gid::from_raw(gid)).ok()?.map(|g| g.name));
        Owner { uid, gid, user, group }
    }
}

fn cached(
    names: &Mutex<HashMap<u32, Option<Arc<str>>>>,
    number: u32,
    look_up: impl FnOnce() -> Option<String>,
) -> Option<Arc<str>> {
    let mut names = names.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    names.entry(number).or_insert_with(|| look_up().map(Into::into)).clone()
}

/// The numbers that an owner has on this machine: by name where the name is known here, else the numbers it had.
///
/// A node restored onto another machine belongs to `loom` there, whatever number `loom` has there.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    users: HashMap<Arc<str>, Option<u32>>,
    groups: HashMap<Arc<str>, Option<u32>>,
}

impl Numbers {
    pub(crate) fn of(&mut self, owner: &Owner) -> (u32, u32) {
        let user = |name: &str| User::from_name(name).ok().flatten().map(|u| u.uid.as_raw());
        let group = |name: &str| Group::from_name(name).ok().flatten().map(|g| g.gid.as_raw());
        let known = |names: &mut HashMap<_, _>, name: &Option<Arc<str>>, look_up: &dyn Fn(&str) -> _| {
            let name = name.as_ref()?;
            *names.entry(Arc::clone(name)).or_insert_with(|| look_up(name))
        };
        (
            known(&mut self.users, &owner.user, &user).unwrap_or(owner.uid),
            known(&mut self.groups, &owner.group, &group).unwrap_or(owner.gid),
        )
    }
}
