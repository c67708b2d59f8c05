//! TLS and client certificates, with what OpenSSL makes and curl speaks.

use rustix::process::Signal;

use super::{Server, chunk_paths, other_program};
use crate::room::Room;

/// An authority, a server's certificate, and clients': one of version 3, one of version 1, one of a stranger.
const CERTIFICATES: &str = "set -e
ca() { openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=$1 -keyout $1.key -out $1.pem; }
request() { openssl req -newkey rsa:2048 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr; }
sign() { openssl x509 -req -days 2 -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -out $1.pem $3 $4; }
ca authority; ca stranger
printf 'subjectAltName=IP:127.0.0.1' > server.ext; printf 'basicConstraints=CA:FALSE' > client.ext
request server; sign server authority -extfile server.ext
request v3; sign v3 authority -extfile client.ext
request v1; sign v1 authority
request other; sign other stranger
openssl x509 -in v1.pem -noout -text | grep -q 'Version: 1'";

/// A room with certificates; `None` where there is no OpenSSL.
fn room() -> Option<Room> {
    let room = Room::with_blob();
    other_program(&room, &["openssl", "version"])?;
    let made = other_program(&room, &["sh", "-c", CERTIFICATES])?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Some(room)
}

/// The exit code of curl, and the body.
fn curl(room: &Room, server: &Server, path: &str, args: &[&str]) -> Option<(i32, Vec<u8>)> {
    let url = format!("https://{}{path}", server.address());
    let words = [&["curl", "-sS", "--fail", "--cacert", "authority.pem", &url], args].concat();
    let output = other_program(room, &words)?;
    Some((output.status.code().unwrap(), output.stdout))
}

const TLS: [&str; 6] = ["-s", "store", "--cert", "server.pem", "--key", "server.key"];

#[test]
fn defect_47_certificates_are_read_again_at_a_hang_up() {
    let Some(room) = room() else { return };
    let path = chunk_paths(&room, "store").remove(0);
    let server = Server::chunks(&room, &TLS);
    let Some((code, body)) = curl(&room, &server, &path, &[]) else { return };
    assert!(code == 0 && body == room.read(&format!("store{path}")));
    assert_eq!(curl(&room, &server, &path, &["--http1.1"]).unwrap().0, 0);
    let fingerprint = || {
        let script = "openssl s_client -connect $0 </dev/null 2>/dev/null | openssl x509 -noout -fingerprint";
        other_program(&room, &["sh", "-c", script, &server.address().to_string()]).unwrap().stdout
    };
    let first = fingerprint();
    let renew = "openssl x509 -req -days 3 -in server.csr -CA authority.pem -CAkey authority.key \
                 -CAcreateserial -out server.pem -extfile server.ext";
    assert!(other_program(&room, &["sh", "-c", renew]).unwrap().status.success());
    server.signal(Signal::HUP);
    while fingerprint() == first {}
    assert_eq!(curl(&room, &server, &path, &[]).unwrap().0, 0);
    // A certificate that cannot be used leaves the old one.
    room.write("server.pem", b"nonsense");
    server.signal(Signal::HUP);
    assert_eq!(curl(&room, &server, &path, &[]).unwrap().0, 0);
    assert!(server.stop().contains("failed to reload configuration: server.pem"));
}

#[test]
fn clients_are_let_in_by_their_certificates() {
    let Some(room) = room() else { return };
    let path = chunk_paths(&room, "store").remove(0);
    let args =
        [&TLS[..], &["--mutual-tls", "--client-ca", "authority.pem", "--log", "requests.log"]].concat();
    let server = Server::chunks(&room, &args);
    for client in ["v3", "v1", "authority"] {
        let (certificate, key) = (format!("{client}.pem"), format!("{client}.key"));
        for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
            let args = [&["--cert", &certificate, "--key", &key], version].concat();
            let Some((code, _)) = curl(&room, &server, &path, &args) else { return };
            assert_eq!(code, 0, "{client} {version:?}");
        }
    }
    for args in [&[][..], &["--cert", "other.pem", "--key", "other.key"]] {
        for version in [&["--tls-max", "1.2"][..], &["--tlsv1.3"]] {
            let (code, body) = curl(&room, &server, &path, &[args, version].concat()).unwrap();
            assert!(code != 0 && body.is_empty(), "{args:?}");
        }
    }
    let log = String::from_utf8(room.read("requests.log")).unwrap();
    assert!(log.matches("Refused: ").count() >= 4, "{log}");
    room.write("empty.pem", b"");
    let text = room.fails(
        1,
        &[&["chunk-server", "-l", "127.0.0.1:0"], &TLS[..], &["--mutual-tls", "--client-ca", "empty.pem"]]
            .concat(),
    );
    assert!(text.contains("no client CA certificates found in client-ca file"), "{text}");
}
