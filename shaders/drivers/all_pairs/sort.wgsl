// One step of a radix sort of each list, by four bits of the keys: a workgroup takes a list, each lane a contiguous
// block of it, so that what is equal keeps its order. From two planes, the keys and the columns, to two others.
const DIGITS: u32 = 16u;

var<private> counts: array<u32, DIGITS>;

fn digit_of(key: u32) -> u32 {
    return (key >> call.shift) % DIGITS;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn sort(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let base = workgroup.x * call.stride;
    let block = (call.columns + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
    let first = min(lanes_before(thread, 1u) * block, call.columns);
    let end = min(first + block, call.columns);
    for (var digit = 0u; digit < DIGITS; digit++) {
        counts[digit] = 0u;
    }
    for (var i = first; i < end; i++) {
        counts[digit_of(lists[call.from_list + base + i])] += 1u;
    }
    // Where each lane's elements of a digit begin.
    var before = 0u;
    for (var digit = 0u; digit < DIGITS; digit++) {
        let count = counts[digit];
        counts[digit] = before + lanes_before(thread, count);
        before += reduce_add_u32(thread, count);
    }
    for (var i = first; i < end; i++) {
        let key = lists[call.from_list + base + i];
        let digit = digit_of(key);
        let place = base + counts[digit];
        counts[digit] += 1u;
        lists[call.to_list + place] = key;
        lists[call.to_list + call.list + place] = lists[call.from_list + call.list + base + i];
    }
}
