// The values of the panel: of its rows with all columns. A workgroup takes a tile of rows; a lane takes two columns,
// and holds their sums with each row of the tile in its registers.
//
// A measure file gives product_of, and value_of, which makes a value of a sum.

var<private> totals: array<vec2<f32>, TILE_ROWS>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn measure_pairs(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first_row = workgroup.y * TILE_ROWS;
    let last_row = call.rows - 1u;
    let first = workgroup.x * 2u * WORKGROUP_SIZE + thread.lane;
    let second = first + WORKGROUP_SIZE;
    let last_column = call.columns - 1u;
    let first_place = (call.first_column + min(first, last_column)) * call.quads;
    let second_place = (call.first_column + min(second, last_column)) * call.quads;
    for (var i = 0u; i < TILE_ROWS; i++) {
        totals[i] = vec2<f32>();
    }
    for (var quad = 0u; quad < call.quads; quad += TILE_QUADS) {
        load_tile(thread, call.first_row + first_row, call.first_row + last_row, quad);
        for (var j = 0u; j < TILE_QUADS; j++) {
            let a = rows[first_place + quad + j];
            let b = rows[second_place + quad + j];
            for (var i = 0u; i < TILE_ROWS; i++) {
                let x = tile_quad(i, j);
                totals[i] += vec2<f32>(product_of(x, a), product_of(x, b));
            }
        }
    }
    for (var i = 0u; i < TILE_ROWS; i++) {
        let row = first_row + i;
        if (row < call.rows) {
            if (first < call.columns) {
                panel[row * call.stride + first] = value_of(totals[i].x, row, first);
            }
            if (second < call.columns) {
                panel[row * call.stride + second] = value_of(totals[i].y, row, second);
            }
        }
    }
}
