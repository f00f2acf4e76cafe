//! `movie-bag admin`.

use crate::support::Folder;

#[test]
fn the_command_line_makes_the_first_admin_with_or_without_a_server() {
    let folder = Folder::new();
    let server = folder.serve();
    let (ann, _bob) = (server.sign_up("ann"), server.sign_up("bob"));
    assert_eq!(server.get("/api/admin", Some(&ann)).0, 403);
    let granted = folder.run(&["admin", "grant", "ANN@example.com"]);
    assert_eq!(granted.assert_succeeded().out, "ann@example.com is now an admin\n");
    let again = folder.run(&["admin", "grant", "ann@example.com"]);
    assert_eq!(again.assert_succeeded().out, "ann@example.com is already an admin\n");
    assert_eq!(server.get("/api/admin", Some(&ann)).0, 200);
    folder
        .run(&["admin", "grant", "nobody@example.com"])
        .assert_failed(1, "nobody@example.com has no account");
    folder.run(&["admin", "revoke", "ann@example.com"]).assert_failed(1, "ann@example.com is the last admin");
    server.stop();
    // Without a server, the command runs a mongod itself until it ends.
    folder.run(&["admin", "grant", "bob@example.com"]).assert_succeeded();
    folder.run(&["admin", "revoke", "ann@example.com"]).assert_succeeded();
    assert_eq!(crate::support::processes_of(&folder), [""; 0]);
    let server = folder.serve();
    assert_eq!(server.get("/api/admin", Some(&ann)).0, 403);
}
