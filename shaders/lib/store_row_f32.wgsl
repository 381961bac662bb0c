// Gradients of a row stored as f32: a word each.

fn store_row(thread: Thread, row: Row, carry: f32) -> f32 {
    let end = row.base + params.classes;
    for (var index = row.base + thread.lane; index < end; index += WORKGROUP_SIZE) {
        put_gradient(index, gradient_of(row, index));
    }
    return 0.0;
}

fn finish_span(thread: Thread, end: u32, carry: f32) {}
