// Reductions over a workgroup by subgroup operations; workgroup memory joins the subgroups where there are several.
// Every lane gets the result.

struct Thread {
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
}

// One word a subgroup; a subgroup has at least one lane.
var<workgroup> shared_words: array<u32, WORKGROUP_SIZE>;

fn share(thread: Thread, word: u32) {
    workgroupBarrier();
    if (thread.subgroup_lane == 0u) {
        shared_words[thread.subgroup] = word;
    }
    workgroupBarrier();
}

fn reduce_add(thread: Thread, value: f32) -> f32 {
    var total = subgroupAdd(value);
    if (thread.subgroups > 1u) {
        share(thread, bitcast<u32>(total));
        total = 0.0;
        for (var i = 0u; i < thread.subgroups; i++) {
            total += bitcast<f32>(shared_words[i]);
        }
    }
    return total;
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    var largest = subgroupMax(value);
    if (thread.subgroups > 1u) {
        share(thread, bitcast<u32>(largest));
        for (var i = 0u; i < thread.subgroups; i++) {
            largest = max(largest, bitcast<f32>(shared_words[i]));
        }
    }
    return largest;
}

fn reduce_add_u32(thread: Thread, value: u32) -> u32 {
    var total = subgroupAdd(value);
    if (thread.subgroups > 1u) {
        share(thread, total);
        total = 0u;
        for (var i = 0u; i < thread.subgroups; i++) {
            total += shared_words[i];
        }
    }
    return total;
}

fn reduce_min_u32(thread: Thread, value: u32) -> u32 {
    var smallest = subgroupMin(value);
    if (thread.subgroups > 1u) {
        share(thread, smallest);
        for (var i = 0u; i < thread.subgroups; i++) {
            smallest = min(smallest, shared_words[i]);
        }
    }
    return smallest;
}
