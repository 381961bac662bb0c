// Keeps a copy of features that their gradient overwrites, word by word.
//
// Joined to what interface.wgsl lists.

// Words of a lane.
const COPIED: u32 = 16u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn keep(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = (workgroup.y * call.across + workgroup.x) * COPIED * WORKGROUP_SIZE;
    for (var i = 0u; i < COPIED; i++) {
        let word = first + i * WORKGROUP_SIZE + thread.lane;
        if (word < call.length) {
            kept[word] = input_features[word];
        }
    }
}
