// A row's gradients, by all lanes of a workgroup, four in one store, and those before and behind whole quads one by one.

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
            let low = vec2<f32>(evaluate_cell(row, cell_in(quad, 0u)), evaluate_cell(row, cell_in(quad, 1u)));
            let high = vec2<f32>(evaluate_cell(row, cell_in(quad, 2u)), evaluate_cell(row, cell_in(quad, 3u)));
            put_gradient_quad((row.base + column) / 4u, vec4<f32>(low, high));
        }
    }
}
