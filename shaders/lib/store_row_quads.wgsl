// A row's gradients, by all lanes of a workgroup, four in one store.

fn store_row(thread: Thread, row: Row, first_column: u32, end_column: u32) {
    if (STORES) {
        let step = 4u * WORKGROUP_SIZE;
        for (var column = first_column + 4u * thread.lane; column < end_column; column += step) {
            let quad = kept_quad(row, column);
            let low = vec2<f32>(evaluate_cell(row, cell_in(quad, 0u)), evaluate_cell(row, cell_in(quad, 1u)));
            let high = vec2<f32>(evaluate_cell(row, cell_in(quad, 2u)), evaluate_cell(row, cell_in(quad, 3u)));
            put_gradient_quad((row.base + column) / 4u, vec4<f32>(low, high));
        }
    }
}
