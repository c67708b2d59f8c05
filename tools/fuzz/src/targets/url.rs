//! Locations on web servers, as people type them: what is accepted can be asked for, and keeps names apart.

use desync_http::Endpoint;

pub(super) fn run(bytes: &[u8]) {
    let Ok(location) = std::str::from_utf8(bytes) else { return };
    let Ok(endpoint) = Endpoint::parse(location) else { return };
    let url = endpoint.url_of("a b%/c");
    assert!(url.is_ascii() && !url.contains([' ', '"', '<', '#']), "{url}");
    assert!(url.starts_with(&endpoint.origin()), "{url}");
    assert_ne!(url, endpoint.url_of("a b%25/c"));
    if let Ok((parent, name)) = Endpoint::of_object(location) {
        assert!(!name.is_empty());
        // Taken apart and put together it is the same place.
        let url = parent.url_of(&name);
        let (again, same) = Endpoint::of_object(&url).expect("a URL of ours");
        assert_eq!(again.url_of(&same), url);
        assert_eq!((again.url_of("x"), same), (parent.url_of("x"), name));
    }
}
