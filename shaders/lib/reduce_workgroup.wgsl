// Reductions over a workgroup through workgroup memory. Every lane gets the result; the order is fixed.

struct Thread {
    @builtin(local_invocation_index) lane: u32,
}

var<workgroup> shared_words: array<u32, WORKGROUP_SIZE>;

// The barriers around a reduction: one before lane 0's word is read by all, one before the next reduction overwrites
// it.
fn share(thread: Thread, word: u32) {
    workgroupBarrier();
    shared_words[thread.lane] = word;
    workgroupBarrier();
}

fn reduce_add(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(value));
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (thread.lane < half) {
            let sum = bitcast<f32>(shared_words[thread.lane]) + bitcast<f32>(shared_words[thread.lane + half]);
            shared_words[thread.lane] = bitcast<u32>(sum);
        }
        workgroupBarrier();
    }
    return bitcast<f32>(shared_words[0]);
}

fn reduce_max(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(value));
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (thread.lane < half) {
            let larger = max(bitcast<f32>(shared_words[thread.lane]), bitcast<f32>(shared_words[thread.lane + half]));
            shared_words[thread.lane] = bitcast<u32>(larger);
        }
        workgroupBarrier();
    }
    return bitcast<f32>(shared_words[0]);
}

fn reduce_add_u32(thread: Thread, value: u32) -> u32 {
    share(thread, value);
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (thread.lane < half) {
            shared_words[thread.lane] += shared_words[thread.lane + half];
        }
        workgroupBarrier();
    }
    return shared_words[0];
}

fn reduce_min_u32(thread: Thread, value: u32) -> u32 {
    share(thread, value);
    for (var half = WORKGROUP_SIZE / 2u; half > 0u; half /= 2u) {
        if (thread.lane < half) {
            shared_words[thread.lane] = min(shared_words[thread.lane], shared_words[thread.lane + half]);
        }
        workgroupBarrier();
    }
    return shared_words[0];
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

// The sum of what the lanes before have.
fn lanes_before(thread: Thread, value: u32) -> u32 {
    share(thread, value);
    var sum = 0u;
    for (var i = 0u; i < thread.lane; i++) {
        sum += shared_words[i];
    }
    return sum;
}

fn sum_before(thread: Thread, value: f32) -> f32 {
    share(thread, bitcast<u32>(value));
    var sum = 0.0;
    for (var i = 0u; i < thread.lane; i++) {
        sum += bitcast<f32>(shared_words[i]);
    }
    return sum;
}
