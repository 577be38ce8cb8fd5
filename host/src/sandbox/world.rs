//! The imports of the world `status` that are granted. The build script and the host share this list: a component that
//! asks for more is neither embedded nor served.

/// The release of WASI whose interfaces are granted. Its patch releases stand for one another.
const RELEASE: &str = "0.2.";

/// Everything that can be imported, without the version. The world reaches `wasi:clocks` too, but only for a type.
pub const INTERFACES: [&str; 5] = [
    "wasi:cli/environment",
    "wasi:http/types",
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
];

/// Whether the interface `import`, such as `wasi:io/streams@0.2.0`, is granted.
#[must_use]
pub fn is_granted(import: &str) -> bool {
    import
        .split_once('@')
        .is_some_and(|(name, version)| version.starts_with(RELEASE) && INTERFACES.contains(&name))
}
