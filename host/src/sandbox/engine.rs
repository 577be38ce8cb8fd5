//! The engine and its pool of instances.

use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

use super::engine_config::{MAX_MEMORY, engine_config};

/// Bytes of a memory that are cleared, instead of returned to the kernel, when its instance ends: clearing is cheaper
/// than page faults. It covers the whole memory of the embedded component.
const MEMORY_KEEP_RESIDENT: usize = 256 * 1024;

/// The same for a table.
const TABLE_KEEP_RESIDENT: usize = 4 * 1024;

/// Bytes of stack for the guest. The embedded component needs a few thousand.
const MAX_WASM_STACK: usize = 256 * 1024;

/// Bytes of stack behind that, for host functions.
const HOST_STACK: usize = 256 * 1024;

/// The memories, tables and core instances of one component, of which the pool has enough for all instances. A composed
/// component has several of each.
pub(super) const MAX_MEMORIES: u32 = 8;
pub(super) const MAX_TABLES: u32 = 16;
pub(super) const MAX_CORE_INSTANCES: u32 = 32;

/// Makes an engine with a pool of `running` instances, one for each guest that may run at a time.
///
/// # Errors
///
/// If the address space of the pool cannot be reserved.
pub fn engine(running: u32) -> Result<Engine> {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(running)
        .total_core_instances(running * MAX_CORE_INSTANCES)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .total_memories(running * MAX_MEMORIES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .total_tables(running * MAX_TABLES)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .total_stacks(running)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT);
    let mut config = engine_config(env!("TARGET"))?;
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(MAX_WASM_STACK + HOST_STACK)
        // A failure is one line of the log; frames without symbols would not explain it.
        .wasm_backtrace_max_frames(None);
    Engine::new(&config)
}
