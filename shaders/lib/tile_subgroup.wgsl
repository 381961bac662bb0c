// A tile of rows that all lanes of a workgroup see, where the workgroup is one subgroup: each lane holds one row in its
// registers and hands it to the others.
const TILE_ROWS: u32 = WORKGROUP_SIZE;

var<private> own: array<vec4<f32>, TILE_QUADS>;

fn load_tile(thread: Thread, first_row: u32, last_row: u32, first_quad: u32) {
    let row = min(first_row + thread.lane, last_row);
    for (var i = 0u; i < TILE_QUADS; i++) {
        own[i] = rows[row * params.quads + first_quad + i];
    }
}

fn tile_quad(row: u32, quad: u32) -> vec4<f32> {
    return subgroupShuffle(own[quad], row);
}
