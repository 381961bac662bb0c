// A row's gradients, by all lanes of a workgroup, four in one store, and those before and behind whole quads one by
// one.

fn store_few(thread: Thread, row: Row, first_column: u32, end_column: u32) {
    for (var column = first_column + thread.lane; column < end_column; column += WORKGROUP_SIZE) {
        store_class(row, column);
    }
}

fn store_row(thread: Thread, row: Row, first_column: u32, end_column: u32) {
    if (STORES) {
        let step = 4u * WORKGROUP_SIZE;
        let whole = whole_quads(row, first_column, end_column);
        if (!ALIGNED) {
            store_few(thread, row, first_column, whole.x);
            store_few(thread, row, whole.y, end_column);
        }
        for (var column = whole.x + 4u * thread.lane; column < whole.y; column += step) {
            let quad = kept_quad(row, column);
            let x = cell_in(row, quad, 0u);
            let y = cell_in(row, quad, 1u);
            let z = cell_in(row, quad, 2u);
            let w = cell_in(row, quad, 3u);
            if (PER_CLASS) {
                let values = vec4<f32>(value_of(row, x), value_of(row, y), value_of(row, z), value_of(row, w));
                store_value_quad((row.value_base + column) / 4u, values);
            }
            let low = vec2<f32>(gradient_of(row, x), gradient_of(row, y));
            let high = vec2<f32>(gradient_of(row, z), gradient_of(row, w));
            put_gradient_quad((row.base + column) / 4u, vec4<f32>(low, high));
        }
    }
}
