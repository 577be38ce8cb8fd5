//! `fields`.

use super::{Row, assert_scripts_agree};

#[rustfmt::skip]
const READS: [Row; 9] = [
    ("fields.new; fields.entries 0", "entries 0: []"),
    ("fields.from-list a=1 b=2 a=3; fields.get 0 a; fields.get 0 b", r#"get 0 a: ["1", "3"]"#),
    ("fields.from-list a=1 b=2 a=3; fields.entries 0", r#"["a=1", "a=3", "b=2"]"#),
    ("fields.from-list X-Name=V; fields.get 0 x-nAmE; fields.has 0 X-NAME; fields.entries 0", r#"["x-name=V"]"#),
    ("fields.from-list a=1; fields.has 0 a; fields.has 0 b; fields.get 0 b", "has 0 b: false"),
    // An invalid name is the name of no field.
    ("fields.from-list a=1; fields.has 0 a%20b; fields.get 0 a%20b; fields.has 0 %25; fields.get 0 ; \
      fields.append 0  1", "has 0 a%20b: false"),
    ("fields.from-list a= b=%20c%20 d=%ff%80; fields.entries 0; fields.get 0 a", r#""a=", "b= c ", "d=\\xff\\x80""#),
    ("fields.new; fields.has 0 host; fields.get 0 connection", "connection: []"),
    ("fields.new; fields.drop 0; fields.entries 0", "no such resource"),
];

#[test]
fn reads_agree() {
    assert_scripts_agree(b"", &READS);
}

#[rustfmt::skip]
const CHANGES: [Row; 14] = [
    ("fields.new; fields.append 0 A 1; fields.append 0 a 2; fields.get 0 a", r#"["1", "2"]"#),
    ("fields.from-list a=1 b=2 c=3; fields.set 0 a 4; fields.entries 0", r#"["a=4", "b=2", "c=3"]"#),
    ("fields.from-list a=1 a=2 b=3; fields.set 0 A 4 5 6; fields.entries 0", r#"["a=4", "a=5", "a=6", "b=3"]"#),
    ("fields.from-list a=1 a=2 b=3; fields.set 0 a; fields.entries 0", r#"["b=3"]"#),
    ("fields.from-list a=1; fields.set 0 b; fields.set 0 c 2; fields.entries 0", r#"["a=1", "c=2"]"#),
    ("fields.from-list a=1 b=2 c=3; fields.delete 0 a; fields.entries 0; fields.append 0 a 4; fields.entries 0",
     r#"["c=3", "b=2"]"#),
    ("fields.from-list a=1; fields.delete 0 b; fields.delete 0 A; fields.delete 0 a; fields.entries 0",
     "entries 0: []"),
    ("fields.from-list a=1; fields.clone 0; fields.append 1 a 2; fields.get 0 a; fields.get 1 a",
     r#"get 1 a: ["1", "2"]"#),
    ("fields.from-list a=1; fields.clone 0; fields.drop 0; fields.get 0 a", r#"["1"]"#),
    ("fields.from-list a=1 b=2 b=3; fields.delete 0 a; fields.clone 0; fields.set 1 b 4; fields.entries 1",
     r#"["b=4"]"#),
    ("fields.from-list a=1; fields.set 0 a 2 x%0ay; fields.entries 0", r#"["a=1"]"#),
    ("fields.new; fields.append 0 a%00 1; fields.append 0 %c3%a4 1; fields.set 0 a: 1; fields.delete 0 a%20b",
     "InvalidSyntax"),
    ("fields.new; fields.append 0 a x%0d%0ab:%20c; fields.append 0 a %00; fields.append 0 a %7f; \
      fields.append 0 a %09", "append 0 a %09: Ok"),
    ("fields.from-list a=%0a; fields.from-list a%20b=c; fields.entries 0", "no such resource"),
];

#[test]
fn changes_agree() {
    assert_scripts_agree(b"", &CHANGES);
}

#[rustfmt::skip]
const RULES: [Row; 10] = [
    ("fields.new; fields.append 0 connection close; fields.append 0 Keep-Alive 5; fields.append 0 HOST a",
     "HOST a: Err(HeaderError::Forbidden)"),
    ("fields.new; fields.set 0 proxy-connection a; fields.set 0 upgrade a; fields.set 0 http2-settings a", "Forbidden"),
    ("fields.new; fields.set 0 proxy-authenticate a; fields.set 0 proxy-authorization a; fields.set 0 te a; \
      fields.set 0 trailer a", "set 0 te a: Ok"),
    ("fields.new; fields.delete 0 transfer-encoding; fields.from-list Transfer-Encoding=chunked", "Forbidden"),
    // The name decides before the value.
    ("fields.new; fields.append 0 host %0a; fields.append 0 ho%20st a", "host %0a: Err(HeaderError::Forbidden)"),
    ("fields.new; fields.append 0 content-length 5; fields.append 0 content-length 5; fields.entries 0",
     r#"["content-length=5"]"#),
    ("fields.from-list content-length=1 Content-Length=1; fields.new; fields.set 0 content-length 1 2; \
      fields.entries 0", "entries 0: []"),
    ("fields.new; fields.set 0 content-length 007; fields.entries 0; fields.set 0 content-length 8; fields.entries 0",
     "content-length=7"),
    ("fields.new; fields.set 0 content-length +5; fields.set 0 content-length -1; fields.set 0 content-length 5a; \
      fields.append 0 content-length ; fields.set 0 content-length", "InvalidSyntax"),
    ("fields.new; fields.set 0 content-length 18446744073709551615; \
      fields.set 0 content-length 18446744073709551616; fields.entries 0", "18446744073709551615"),
];

#[test]
fn rules_agree() {
    assert_scripts_agree(b"", &RULES);
}

#[rustfmt::skip]
const IMMUTABLE: [Row; 6] = [
    ("request.headers; fields.append 0 a 1; fields.set 0 a 1; fields.delete 0 a",
     "delete 0 a: Err(HeaderError::Immutable)"),
    ("request.headers; fields.clone 0; fields.append 1 a 1; fields.entries 1; fields.entries 0",
     r#"entries 1: ["a=1"]"#),
    ("fields.from-list a=1; response.new 0; response.headers 0; fields.append 0 a 2; fields.entries 0", "Immutable"),
    ("fields.from-list a=1; response.new 0; response.headers 0; fields.clone 0; fields.append 1 a 2; fields.entries 1",
     r#"["a=1", "a=2"]"#),
    // The name and the value decide before the state; two lengths in one `set` do not.
    ("request.headers; fields.append 0 host 1; fields.append 0 a %0a; fields.set 0 a %0a; fields.delete 0 %20",
     "host 1: Err(HeaderError::Forbidden)"),
    ("request.headers; fields.set 0 content-length 1 2; response.new 0; response.headers 0; fields.set 0 a 1",
     "Immutable"),
];

#[test]
fn immutability_agrees() {
    assert_scripts_agree(b"", &IMMUTABLE);
}
