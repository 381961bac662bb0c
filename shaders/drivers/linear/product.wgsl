// A product of a panel: its logits, of rows and the head; or from the logits' gradients those of the rows, or of the
// head. By tiles or by strips (lib/).
//
// Joined to what interface.wgsl lists; a file of lib/, and one of three that give load_left, load_right and value_of.

fn add_product(sum: vec4<f32>, left: f32, right: vec4<f32>, block: u32, row: u32) -> vec4<f32> {
    return fma(vec4<f32>(left), right, sum);
}

// What is there of four places that begin with one.
fn before_end(values: vec4<f32>, place: u32, end: u32) -> vec4<f32> {
    return select(vec4<f32>(), values, vec4<u32>(place) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end));
}

fn put_products(sums: vec4<f32>, row: u32, column: u32) {
    if (row < call.rows && column < call.columns) {
        let place = (row * call.stride + call.first_column + column) / 4u;
        let value = before_end(value_of(sums, row, column), column, call.columns);
        products[place] = select(vec4<f32>(), products[place], call.adds != 0u) + value;
    }
}

fn put_block(sums: mat4x4<f32>, row: u32, column: u32) {
    put_products(sums[0], row, column);
    put_products(sums[1], row + 1u, column);
    put_products(sums[2], row + 2u, column);
    put_products(sums[3], row + 3u, column);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn multiply_panel(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first_row = workgroup.y * TILE_ROWS;
    let first_column = workgroup.x * TILE_COLUMNS;
    multiply(thread, first_row, first_column, call.first_depth, call.end_depth);
    put_sums(thread, first_row, first_column);
}
