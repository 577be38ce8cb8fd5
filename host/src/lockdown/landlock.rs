//! Files and ports: a Landlock ruleset without rules, which denies everything that it handles.

use ::landlock::{
    ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetError, RulesetStatus, Scope,
};

/// The newest set of access rights. Older kernels enforce those that they know; before 6.7 these are files only.
const RIGHTS: ABI = ABI::V6;

/// Denies this thread, and those that it starts later, every file and port that is not open yet. Returns the version of
/// Landlock that enforces it; `None` if the kernel has none.
pub(super) fn deny_all() -> Result<Option<i32>, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(RIGHTS))?
        .handle_access(AccessNet::from_all(RIGHTS))?
        .scope(Scope::from_all(RIGHTS))?;
    let status = ruleset.create()?.restrict_self()?;
    Ok(match status.landlock {
        LandlockStatus::Available { effective_abi, .. } if status.ruleset != RulesetStatus::NotEnforced => {
            Some(effective_abi as i32)
        }
        _ => None,
    })
}
