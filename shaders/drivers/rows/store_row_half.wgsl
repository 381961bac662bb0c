// A row's gradients, by all lanes of a workgroup: two halves a word. What else is in a word that a row begins or ends
// in the middle of stays: it is another row's, or none of ours. One lane writes those words, so that a later row finds
// what an earlier one left; rows that share a word are of one workgroup, or the stores are atomic.

fn store_row(thread: Thread, row: Row, first_column: u32, end_column: u32) {
    // A part begins with a whole word, apart from the first.
    let odd = row.base % 2u;
    let first = select(first_column + odd, 0u, first_column == 0u);
    let end = select(end_column + odd, end_column, end_column == call.classes);
    let inner = first + (row.base + first) % 2u;
    for (var column = inner + 2u * thread.lane; column + 1u < end; column += 2u * WORKGROUP_SIZE) {
        let values = vec2<f32>(evaluate_class(row, column), evaluate_class(row, column + 1u));
        put_gradients((row.base + column) / 2u, values);
    }
    if (thread.lane == 0u && first < end) {
        if (inner > first) {
            store_class(row, first);
        }
        if ((row.base + end) % 2u == 1u && end > inner) {
            store_class(row, end - 1u);
        }
    }
}
