// A tile of rows that all lanes of a workgroup see, where the workgroup is one subgroup: each lane holds two rows in
// its registers and hands them to the others.
const TILE_ROWS: u32 = 2u * WORKGROUP_SIZE;

var<private> own: array<vec4<f32>, 2u * TILE_QUADS>;

fn load_tile(thread: Thread, first_row: u32, last_row: u32, first_quad: u32) {
    for (var half = 0u; half < 2u; half++) {
        let row = min(first_row + half * WORKGROUP_SIZE + thread.lane, last_row);
        for (var i = 0u; i < TILE_QUADS; i++) {
            own[half * TILE_QUADS + i] = rows[row * call.quads + first_quad + i];
        }
    }
}

fn tile_quad(row: u32, quad: u32) -> vec4<f32> {
    return subgroupShuffle(own[row / WORKGROUP_SIZE * TILE_QUADS + quad], row % WORKGROUP_SIZE);
}
