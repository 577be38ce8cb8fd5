//! The engine and its pool of instances.

use wasmtime::{Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result};

use super::engine_config::{MEMORY_RESERVATION, engine_config};

/// Bytes of a memory that are cleared, instead of returned to the kernel, when its instance ends: clearing is cheaper
/// than page faults. It covers the whole memory of the embedded component.
const MEMORY_KEEP_RESIDENT: usize = 256 * 1024;

/// The same for a table.
const TABLE_KEEP_RESIDENT: usize = 4 * 1024;

/// Bytes of native stack for the guest. The embedded component needs a few thousand.
const MAX_WASM_STACK: usize = 256 * 1024;

/// Bytes of native stack behind that, for host functions.
const HOST_STACK: usize = 256 * 1024;

/// The memories, tables and core instances of one component, of which the pool has enough for all instances. A composed
/// component has several of each.
pub(super) const MAX_MEMORIES: u32 = 8;
pub(super) const MAX_TABLES: u32 = 16;
pub(super) const MAX_CORE_INSTANCES: u32 = 32;

/// Makes an engine with a pool of `instances`.
///
/// # Errors
///
/// If the address space of the pool cannot be reserved.
pub fn engine(instances: u32) -> Result<Engine> {
    let mut config = engine_config(env!("TARGET"))?;
    // A failure is one line of the log; frames without symbols would not explain it.
    config.wasm_backtrace_max_frames(None);
    config
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(MAX_WASM_STACK + HOST_STACK);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool(instances)));
    Engine::new(&config)
}

fn pool(instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * MAX_CORE_INSTANCES)
        .max_core_instances_per_component(MAX_CORE_INSTANCES)
        .total_memories(instances * MAX_MEMORIES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_memories_per_module(MAX_MEMORIES)
        .total_tables(instances * MAX_TABLES)
        .max_tables_per_component(MAX_TABLES)
        .max_tables_per_module(MAX_TABLES)
        .total_stacks(instances)
        .max_memory_size(MEMORY_RESERVATION)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT);
    pool
}
