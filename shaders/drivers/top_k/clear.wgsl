// Makes the gradients of a chunk 0, but those of rows whose weight or upstream is not finite: as in every loss, what
// these touch is no number.
//
// Joined to what interface.wgsl lists.

fn clear_element(index: u32) {
    if (index >= call.class_base && index < call.class_base + call.elements) {
        let row = call.first_row + (index - call.class_base) / call.classes;
        let factor = load_weight(row) * load_upstream(row);
        store_gradient(index, select(nan_from(factor), 0.0, is_finite(factor) || kept[row] == 0));
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
