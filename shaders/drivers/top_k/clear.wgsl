// Makes the gradients of a chunk 0.
//
// Joined to what interface.wgsl lists.

fn clear_element(index: u32) {
    if (index >= call.class_base && index < call.class_base + call.elements) {
        store_gradient(index, 0.0);
    }
}

// A lane takes two elements at a time, which may share a word.
@compute @workgroup_size(WORKGROUP_SIZE)
fn clear(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, call.elements / 2u + 1u);
    for (var pair = first + thread.lane; pair < end; pair += WORKGROUP_SIZE) {
        let index = 2u * (call.class_base / 2u + pair);
        clear_element(index);
        clear_element(index + 1u);
    }
}
