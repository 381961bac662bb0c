// Values of several tasks from where they lie side by side to where each can be bound by itself, or the other way
// round.

@compute @workgroup_size(WORKGROUP_SIZE)
fn copy_values(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let task = workgroup.x * WORKGROUP_SIZE + thread.lane;
    if (task < call.tasks) {
        destination[task * call.destination_stride] = source[task * call.source_stride];
    }
}
