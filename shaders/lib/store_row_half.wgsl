// Gradients of a row stored as f16 or bf16: two a word. A row of odd length shares a word with the next one; `carry`
// takes its last gradient there. Spans have an even number of rows, so no word is shared between workgroups.

fn store_row(thread: Thread, row: Row, carry: f32) -> f32 {
    let end = row.base + params.classes;
    for (var word = row.base / 2u + thread.lane; word < end / 2u; word += WORKGROUP_SIZE) {
        var gradients = vec2<f32>(carry, gradient_of(row, 2u * word + 1u));
        if (2u * word >= row.base) {
            gradients.x = gradient_of(row, 2u * word);
        }
        put_gradients(word, gradients);
    }
    if (end % 2u == 1u) {
        return gradient_of(row, end - 1u);
    }
    return 0.0;
}

// The last word of an odd number of gradients; what its upper half holds is not ours and stays.
fn finish_span(thread: Thread, end: u32, carry: f32) {
    let elements = end * params.classes;
    if (thread.lane == 0u && elements % 2u == 1u) {
        put_low_gradient(elements / 2u, carry);
    }
}
