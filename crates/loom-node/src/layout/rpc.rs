//! Where a node's RPC may be asked, from its configuration. Asks nothing.

use std::net::IpAddr;

use url::{Host, Url};

/// The local URL of a listen address (`tcp://0.0.0.0:26657`, `:26657`, `10.0.0.1:26657`) with `path`.
/// `None` for what cannot be asked over HTTP: nothing configured, a Unix socket.
pub(super) fn local_url(listen: &str, path: &str) -> Option<Url> {
    let address = match listen.trim().split_once("://") {
        Some(("tcp" | "http", address)) => address,
        Some(_) => return None,
        None => listen.trim(),
    };
    if address.is_empty() {
        return None;
    }
    // Go takes an empty host for every address.
    let host = if address.starts_with(':') { "127.0.0.1" } else { "" };
    let mut url: Url = format!("http://{host}{address}/").parse().ok()?;
    let everywhere = match url.host()? {
        Host::Ipv4(v4) if v4.is_unspecified() => Some(IpAddr::from([127, 0, 0, 1])),
        Host::Ipv6(v6) if v6.is_unspecified() => Some("::1".parse().expect("an address")),
        _ => None,
    };
    if let Some(local) = everywhere {
        url.set_ip_host(local).ok()?;
    }
    url.set_path(path);
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::local_url;

    #[test]
    fn a_listen_address_becomes_a_url_that_can_be_asked_from_here() {
        for (listen, url) in [
            ("tcp://127.0.0.1:46657", Some("http://127.0.0.1:46657/")),
            ("tcp://0.0.0.0:46657", Some("http://127.0.0.1:46657/")),
            (" tcp://[::]:26657", Some("http://[::1]:26657/")),
            ("tcp://:26657", Some("http://127.0.0.1:26657/")),
            ("10.0.0.5:26657", Some("http://10.0.0.5:26657/")),
            ("http://node.example:1", Some("http://node.example:1/")),
            ("unix:///run/node.sock", None),
            ("", None),
            ("tcp://", None),
            ("tcp://host:port", None),
        ] {
            assert_eq!(local_url(listen, "/").as_ref().map(url::Url::as_str), url, "{listen}");
        }
        assert_eq!(
            local_url("tcp://0.0.0.0:46658", "/rpc/").map(String::from).as_deref(),
            Some("http://127.0.0.1:46658/rpc/")
        );
    }
}
