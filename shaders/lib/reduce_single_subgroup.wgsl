// Reductions over a workgroup that is one subgroup: no workgroup memory and no barriers. Every lane gets the result.

struct Thread {
    @builtin(local_invocation_index) lane: u32,
}

fn reduce_add(thread: Thread, value: f32) -> f32 {
    return subgroupAdd(value);
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    return subgroupMax(value);
}

fn reduce_add_u32(thread: Thread, value: u32) -> u32 {
    return subgroupAdd(value);
}

fn reduce_min_u32(thread: Thread, value: u32) -> u32 {
    return subgroupMin(value);
}

// A flag that all lanes have alike: reductions may depend on what this gives.
fn agreed(thread: Thread, flag: bool) -> bool {
    return flag;
}

// The lanes run in step: only CPU adapters use this.
fn before_overwriting() {}

// The sum of what the lanes before have.
fn lanes_before(thread: Thread, value: u32) -> u32 {
    return subgroupExclusiveAdd(value);
}

fn sum_before(thread: Thread, value: f32) -> f32 {
    return subgroupExclusiveAdd(value);
}
