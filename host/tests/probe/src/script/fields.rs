//! Operations on `fields`.

use crate::bindings::wasi::http::types::{Fields, HeaderError};

use super::operands::decode;
use super::{Answer, Operands, Script};

impl Script {
    pub(super) fn fields(&mut self, name: &str, operands: &Operands<'_>) -> Answer {
        match name {
            "new" => {
                self.fields.push(Fields::new());
                return Some("made".to_owned());
            }
            "from-list" => return Some(self.push_fields(Fields::from_list(&pairs(operands.rest(0))))),
            "drop" => {
                operands.remove(0, &mut self.fields)?;
                return Some("dropped".to_owned());
            }
            _ => {}
        }
        let fields = operands.get(0, &self.fields)?;
        Some(match name {
            "get" => list(&fields.get(&operands.text(1))),
            "has" => fields.has(&operands.text(1)).to_string(),
            "set" => {
                let values: Vec<_> = operands.rest(2).iter().map(|value| decode(value)).collect();
                format!("{:?}", fields.set(&operands.text(1), &values))
            }
            "delete" => format!("{:?}", fields.delete(&operands.text(1))),
            "append" => format!("{:?}", fields.append(&operands.text(1), &operands.bytes(2))),
            "entries" => entries(fields),
            "clone" => {
                let clone = fields.clone();
                self.push_fields(Ok(clone))
            }
            _ => panic!("unknown operation"),
        })
    }

    fn push_fields(&mut self, fields: Result<Fields, HeaderError>) -> String {
        let answer = format!("{:?}", fields.as_ref().map(|_| ()));
        self.fields.extend(fields);
        answer
    }
}

/// Pairs of a name and a value, separated by `=`.
fn pairs(words: &[&str]) -> Vec<(String, Vec<u8>)> {
    let pair = |word: &&str| {
        let (name, value) = word.split_once('=').unwrap();
        (String::from_utf8(decode(name)).unwrap(), decode(value))
    };
    words.iter().map(pair).collect()
}

fn list(values: &[Vec<u8>]) -> String {
    let values: Vec<_> = values.iter().map(|value| value.escape_ascii().to_string()).collect();
    format!("{values:?}")
}

/// The entries in the order of the host.
pub(super) fn entries(fields: &Fields) -> String {
    let entry = |(name, value): (String, Vec<u8>)| format!("{name}={}", value.escape_ascii());
    let entries: Vec<_> = fields.entries().into_iter().map(entry).collect();
    format!("{entries:?}")
}
