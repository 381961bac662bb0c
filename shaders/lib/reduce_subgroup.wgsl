// Reductions over a workgroup by subgroup operations; workgroup memory joins the subgroups.
// Every lane gets the result.

struct Thread {
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
}

// One word a subgroup; a subgroup has at least one lane.
var<workgroup> shared_words: array<u32, WORKGROUP_SIZE>;

// One barrier before the words of the reduction before are overwritten, one before these are read.
fn share(thread: Thread, word: u32) {
    workgroupBarrier();
    if (thread.subgroup_lane == 0u) {
        shared_words[thread.subgroup] = word;
    }
    workgroupBarrier();
}

fn reduce_add(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(subgroupAdd(value)));
    var total = 0.0;
    for (var i = 0u; i < thread.subgroups; i++) {
        total += bitcast<f32>(shared_words[i]);
    }
    return total;
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(subgroupMax(value)));
    var largest = bitcast<f32>(shared_words[0]);
    for (var i = 1u; i < thread.subgroups; i++) {
        largest = max(largest, bitcast<f32>(shared_words[i]));
    }
    return largest;
}

fn reduce_add_u32(thread: Thread, value: u32) -> u32 {
    share(thread, subgroupAdd(value));
    var total = 0u;
    for (var i = 0u; i < thread.subgroups; i++) {
        total += shared_words[i];
    }
    return total;
}

fn reduce_min_u32(thread: Thread, value: u32) -> u32 {
    share(thread, subgroupMin(value));
    var smallest = shared_words[0];
    for (var i = 1u; i < thread.subgroups; i++) {
        smallest = min(smallest, shared_words[i]);
    }
    return smallest;
}

var<workgroup> shared_flag: u32;

// A flag that all lanes have alike: of what this gives, compilers know it, and reductions may depend on it.
fn agreed(thread: Thread, flag: bool) -> bool {
    if (thread.lane == 0u) {
        shared_flag = u32(flag);
    }
    return workgroupUniformLoad(&shared_flag) != 0u;
}

// Where lanes overwrite what other lanes have read.
fn before_overwriting() {
    storageBarrier();
}

// The sum of what the lanes before have: lanes of a subgroup follow each other in the order of their subgroups.
fn lanes_before(thread: Thread, value: u32) -> u32 {
    share(thread, subgroupAdd(value));
    var sum = subgroupExclusiveAdd(value);
    for (var i = 0u; i < thread.subgroup; i++) {
        sum += shared_words[i];
    }
    return sum;
}

fn sum_before(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(subgroupAdd(value)));
    var sum = subgroupExclusiveAdd(value);
    for (var i = 0u; i < thread.subgroup; i++) {
        sum += bitcast<f32>(shared_words[i]);
    }
    return sum;
}
