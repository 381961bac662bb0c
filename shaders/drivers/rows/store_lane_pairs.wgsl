// Two rows a lane, whose halves make whole words: rows that follow each other without a gap, or that lie side by side.

const ROWS_A_LANE: u32 = 2u;

fn evaluate_rows(index: u32) {
    let low = evaluate_row(index);
    let high = evaluate_row(index + 1u);
    if (CONTIGUOUS) {
        let elements = select(1u, 2u, index + 1u < call.length) * call.classes;
        for (var element = 0u; element + 1u < elements; element += 2u) {
            let values = vec2<f32>(evaluate_element(low, high, element), evaluate_element(low, high, element + 1u));
            put_gradients((low.base + element) / 2u, values);
        }
        if (elements % 2u == 1u) {
            put_gradient(low.base + elements - 1u, evaluate_element(low, high, elements - 1u));
        }
    } else {
        for (var column = 0u; column < call.classes; column++) {
            let values = vec2<f32>(evaluate_class(low, column), evaluate_class(high, column));
            put_gradients(address(low.base, column) / 2u, values);
        }
    }
}

// An element of the two rows, one after the other.
fn evaluate_element(low: Row, high: Row, element: u32) -> f32 {
    if (element < call.classes) {
        return evaluate_class(low, element);
    }
    return evaluate_class(high, element - call.classes);
}
