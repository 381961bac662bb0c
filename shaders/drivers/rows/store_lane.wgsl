// A lane's row: each class's gradient in an element of its own, or none stored.

const ROWS_A_LANE: u32 = 1u;

fn evaluate_rows(index: u32) {
    let row = evaluate_row(index);
    if (STORES) {
        for (var column = 0u; column < call.classes; column++) {
            store_class(row, column);
        }
    }
}
