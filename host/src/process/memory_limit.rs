//! The memory limit of the control group, in bytes.

use std::fs;
use std::path::Path;

/// The hierarchies of cgroup v2 and v1: the controllers in `/proc/self/cgroup`, the mount point, and the file of the
/// limit.
const HIERARCHIES: [(&str, &str, &str); 2] = [
    ("", "sys/fs/cgroup", "memory.max"),
    ("memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes"),
];

/// Without a limit, cgroup v1 reports a number of this size.
const UNLIMITED: u64 = 1 << 60;

/// The lowest limit of the groups that this process is in; `None` without one. Reads files: call it before Landlock.
pub(crate) fn memory_limit() -> Option<u64> {
    limit_below(Path::new("/"))
}

/// As [`memory_limit`], with another root directory.
fn limit_below(root: &Path) -> Option<u64> {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = HIERARCHIES.iter().flat_map(|(controller, mount, file)| {
        let path = groups
            .lines()
            .find_map(|line| group(line, controller))
            .unwrap_or_default();
        // A container may see the path of its group, but not the directories above it.
        let groups = Path::new(path)
            .ancestors()
            .map(move |group| root.join(mount).join(group).join(file));
        groups.filter_map(|file| fs::read_to_string(file).ok()?.trim().parse().ok())
    });
    limits.min().filter(|limit| *limit < UNLIMITED)
}

/// The path in a line of `/proc/self/cgroup`, such as `8:memory:/a/b`, if the line is about `controller`.
fn group<'a>(line: &'a str, controller: &str) -> Option<&'a str> {
    let mut parts = line.splitn(3, ':').skip(1);
    let is_same = parts.next()?.split(',').any(|name| name == controller);
    parts.next().filter(|_| is_same)?.strip_prefix('/')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn lowest_limit_of_all_groups_applies() {
        let v1 = "9:name=systemd:/\n8:cpu,memory:/pod/app\n0::/other\n";
        for (groups, files, expected) in [
            ("0::/\n", &[("memory.max", "268435456\n")][..], Some(268_435_456)),
            ("0::/\n", &[("memory.max", "max\n")], None),
            (
                "0::/pod/app\n",
                &[("pod/memory.max", "5\n"), ("pod/app/memory.max", "7\n")],
                Some(5),
            ),
            (
                "0::/pod/app\n",
                &[("pod/memory.max", "max\n"), ("pod/app/memory.max", "7\n")],
                Some(7),
            ),
            // The container sees its own group as the root.
            (v1, &[("memory/memory.limit_in_bytes", "6\n")], Some(6)),
            (
                v1,
                &[("memory/pod/app/memory.limit_in_bytes", "6\n"), ("memory.max", "9")],
                Some(6),
            ),
            ("", &[], None),
            (v1, &[("memory/memory.limit_in_bytes", "9223372036854771712\n")], None),
        ] {
            let root = tempfile::tempdir().unwrap();
            let write = |path: &str, content: &str| {
                let path = root.path().join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, content).unwrap();
            };
            write("proc/self/cgroup", groups);
            for (file, content) in files {
                write(&format!("sys/fs/cgroup/{file}"), content);
            }
            assert_eq!(limit_below(root.path()), expected, "{groups} {files:?}");
        }
    }
}
