// The values of the panel by register tiles (lib/tile.wgsl), for workgroups of many lanes: of its rows with all
// columns, over the dimensions.
//
// A measure file gives add_terms, and value_of, which makes a value of a sum.

fn load_left(slot: u32, row: u32, dimension: u32) -> vec4<f32> {
    return rows[(call.first_row + min(row, call.rows - 1u)) * call.quads + dimension / 4u];
}

fn load_right(slot: u32, column: u32, dimension: u32) -> vec4<f32> {
    return rows[(call.first_column + min(column, call.columns - 1u)) * call.quads + dimension / 4u];
}

fn add_product(sum: vec4<f32>, left: f32, right: vec4<f32>, block: u32, row: u32) -> vec4<f32> {
    return add_terms(sum, left, right);
}

// The quads behind the last column are in the panel's stride, and nothing reads them.
fn put_values(sums: vec4<f32>, row: u32, column: u32) {
    if (row < call.rows && column < call.columns) {
        let last = call.columns - 1u;
        panel_quads[(row * call.stride + column) / 4u] = vec4<f32>(
            value_of(sums.x, row, column),
            value_of(sums.y, row, min(column + 1u, last)),
            value_of(sums.z, row, min(column + 2u, last)),
            value_of(sums.w, row, min(column + 3u, last)),
        );
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first_row = workgroup.y * TILE_ROWS;
    let first_column = workgroup.x * TILE_COLUMNS;
    multiply(thread, first_row, first_column, 0u, 4u * call.quads);
    let row = first_row + own_row(thread);
    for (var block = 0u; block < COLUMN_BLOCKS; block++) {
        let column = first_column + own_column(thread, block);
        put_values(total[block][0], row, column);
        put_values(total[block][1], row + 1u, column);
        put_values(total[block][2], row + 2u, column);
        put_values(total[block][3], row + 3u, column);
    }
}
