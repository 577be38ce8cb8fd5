//! The operands of an operation.

/// The words after the name of an operation.
pub(super) struct Operands<'a>(Vec<&'a str>);

impl<'a> Operands<'a> {
    pub(super) fn new(words: Vec<&'a str>) -> Self {
        Self(words)
    }

    pub(super) fn number(&self, position: usize) -> u64 {
        self.0[position].parse().unwrap()
    }

    pub(super) fn text(&self, position: usize) -> String {
        String::from_utf8(self.bytes(position)).unwrap()
    }

    pub(super) fn bytes(&self, position: usize) -> Vec<u8> {
        decode(self.0[position])
    }

    /// The words from `position` on.
    pub(super) fn rest(&self, position: usize) -> &[&'a str] {
        &self.0[position..]
    }

    /// The resource that the operand names.
    pub(super) fn get<'b, T>(&self, position: usize, resources: &'b [T]) -> Option<&'b T> {
        resources.get(self.index(position, resources.len())?)
    }

    /// As [`Operands::get`], and removes it.
    pub(super) fn remove<T>(&self, position: usize, resources: &mut Vec<T>) -> Option<T> {
        let index = self.index(position, resources.len())?;
        Some(resources.remove(index))
    }

    fn index(&self, position: usize, count: usize) -> Option<usize> {
        usize::try_from(self.number(position)).unwrap().checked_rem(count)
    }
}

/// Decodes percent-encoded text.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut parts = text.split('%');
    let mut decoded = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        decoded.push(u8::from_str_radix(digits, 16).unwrap());
        decoded.extend_from_slice(rest.as_bytes());
    }
    decoded
}
