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

/// The same, as far as the embedded component needs them. The pool then needs less memory for its bookkeeping.
const EMBEDDED_MEMORIES: u32 = 1;
const EMBEDDED_TABLES: u32 = 2;
const EMBEDDED_CORE_INSTANCES: u32 = 4;

/// Makes an engine with a pool of `instances` of any component.
///
/// # Errors
///
/// If the address space of the pool cannot be reserved.
pub fn engine(instances: u32) -> Result<Engine> {
    with_pool(pool(instances, MAX_MEMORIES, MAX_TABLES, MAX_CORE_INSTANCES))
}

/// As [`engine`], for the embedded component.
///
/// # Errors
///
/// As [`engine`].
pub fn engine_for_embedded(instances: u32) -> Result<Engine> {
    with_pool(pool(
        instances,
        EMBEDDED_MEMORIES,
        EMBEDDED_TABLES,
        EMBEDDED_CORE_INSTANCES,
    ))
}

fn with_pool(pool: PoolingAllocationConfig) -> Result<Engine> {
    let mut config = engine_config(env!("TARGET"))?;
    // A failure is one line of the log; frames without symbols would not explain it.
    config.wasm_backtrace_max_frames(None);
    config
        .max_wasm_stack(MAX_WASM_STACK)
        .async_stack_size(MAX_WASM_STACK + HOST_STACK);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    Engine::new(&config)
}

fn pool(instances: u32, memories: u32, tables: u32, core_instances: u32) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(instances)
        .total_core_instances(instances * core_instances)
        .max_core_instances_per_component(core_instances)
        .total_memories(instances * memories)
        .max_memories_per_component(memories)
        .max_memories_per_module(memories)
        .total_tables(instances * tables)
        .max_tables_per_component(tables)
        .max_tables_per_module(tables)
        .total_stacks(instances)
        .max_memory_size(MEMORY_RESERVATION)
        .linear_memory_keep_resident(MEMORY_KEEP_RESIDENT)
        .table_keep_resident(TABLE_KEEP_RESIDENT);
    pool
}
