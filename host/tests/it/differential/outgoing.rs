//! `response-outparam`, `outgoing-response` and `outgoing-body`.

use super::{Row, assert_scripts_agree};

#[rustfmt::skip]
const RESPONSES: [Row; 14] = [
    ("fields.from-list a=1 a=2 b=3; response.new 0; response.set 0", "200\na: 1\na: 2\nb: 3\n\n"),
    ("fields.new; response.new 0; response.status 0; response.set-status 0 404; response.status 0; response.set 0",
     "404"),
    ("fields.new; response.new 0; response.set-status 0 99; response.set-status 0 1000; response.set-status 0 0; \
      response.set-status 0 999; response.status 0", "999"),
    ("fields.new; response.new 0; response.body 0; response.body 0; body.drop 0; response.body 0", "body 0: Err(())"),
    ("fields.new; response.new 0; response.headers 0; response.headers 0; response.drop 0; fields.entries 0; \
      response.status 0", "no such resource"),
    ("fields.new; response.new 0; response.body 0; response.set 0; response.set 0",
     "set 0: set\nresponse.set 0: no such resource"),
    ("fields.new; response.new 0; fields.new; response.new 0; response.set-status 1 201; response.set 1; \
      response.status 0", "201"),
    ("fields.new; response.new 0; response.set-status 0 204; response.set 0; request.method", "204\n\n"),
    ("fields.new; response.new 0; response.set-status 0 101; response.set 0", "failure invalid_response"),
    ("fields.new; response.new 0; response.set-status 0 600; response.set 0", "its status is not final"),
    ("request.headers; response.new 0; response.set 0", "200"),
    ("out.error", r#"failure error: the component returned the error ErrorCode::InternalError(Some("reason"))"#),
    ("out.drop; fields.new", "failure no_response"),
    ("fields.new; response.new 0; response.set 0; response.set 0; leak", "200\n\n"),
];

#[rustfmt::skip]
const BODIES: [Row; 22] = [
    ("fields.new; response.new 0; response.body 0; body.write 0; body.write 0; output.drop 0; body.write 0; \
      body.finish 0", "write 0: Err(())"),
    ("fields.new; response.new 0; response.body 0; response.set 0; body.write 0; output.blocking-write 0 3", "xxx"),
    ("fields.new; response.new 0; response.body 0; body.write 0; output.write 0 3; output.drop 0; body.finish 0; \
      response.set 0", "200\n\nxxx"),
    ("fields.new; response.new 0; response.body 0; response.set 0; body.finish 0", "200\n\n"),
    ("fields.from-list t=1; fields.new; response.new 1; response.body 0; response.set 0; \
      body.finish-with-trailers 0 0; fields.entries 0", "200\n\n"),
    ("fields.new; response.new 0; response.body 0; response.set 0; body.drop 0", "failure invalid_response"),
    ("fields.new; response.new 0; response.body 0; body.drop 0; response.set 0", "its body is incomplete"),
    ("fields.new; response.new 0; response.body 0; response.set 0; leak", "its body was not finished"),
    ("fields.new; response.new 0; response.body 0; body.write 0; output.write 0 1; leak", "its body was not finished"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; response.set 0; body.write 0; \
      output.write 0 5; output.drop 0; body.finish 0", "content-length: 5\n\nxxxxx"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 4; \
      output.drop 0; body.finish 0", "Err(ErrorCode::HttpResponseBodySize(Some(4)))"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; response.set 0; body.finish 0",
     "its body is incomplete"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 6; \
      error.code 0; output.write 0 1; error.code 1; output.drop 0; body.finish 0",
     "error.code 1: Some(ErrorCode::HttpResponseBodySize(Some(7)))"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 6; \
      output.write 0 0; output.flush 0; output.check 0; output.blocking-write 0 0; output.zeroes 0 0; error.drop 0; \
      error.code 0", "check 0: 65536"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; response.set 0; body.write 0; \
      output.write 0 6; output.drop 0; body.finish 0", "its body is incomplete"),
    ("fields.from-list content-length=0; response.new 0; response.body 0; body.write 0; output.write 0 0; \
      output.drop 0; body.finish 0; response.set 0", "content-length: 0\n\n"),
    ("fields.from-list content-length=5; response.new 0; response.set 0", "its content-length is wrong"),
    ("fields.from-list content-length=5; response.new 0; response.set-status 0 304; response.set 0",
     "304\ncontent-length: 5"),
    ("fields.new; response.new 0; response.body 0; body.write 0; response.drop 0; output.write 0 1; output.check 0; \
      output.flush 0; output.blocking-flush 0; output.blocking-write 0 1; output.zeroes 0 1; output.drop 0; \
      body.finish 0", "write 0 1: closed"),
    ("fields.from-list content-length=5; response.new 0; response.body 0; body.write 0; output.write 0 2; \
      response.drop 0; output.write 0 9; output.drop 0; body.finish 0", "Some(2)"),
    ("fields.new; response.new 0; response.body 0; body.write 0; body.finish 0", "failure trap"),
    ("fields.new; response.new 0; response.body 0; body.write 0; body.drop 0", "failure trap"),
];

#[test]
fn responses_agree() {
    assert_scripts_agree(b"", &RESPONSES);
}

#[test]
fn bodies_agree() {
    assert_scripts_agree(b"", &BODIES);
}
