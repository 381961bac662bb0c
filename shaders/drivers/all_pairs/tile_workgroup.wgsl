// A tile of rows that all lanes of a workgroup see, in workgroup memory.
const TILE_ROWS: u32 = 16u;

var<workgroup> tile: array<vec4<f32>, TILE_ROWS * TILE_QUADS>;

// One barrier before the tile is overwritten, one before it is read.
fn load_tile(thread: Thread, first_row: u32, last_row: u32, first_quad: u32) {
    workgroupBarrier();
    for (var i = thread.lane; i < TILE_ROWS * TILE_QUADS; i += WORKGROUP_SIZE) {
        let row = min(first_row + i / TILE_QUADS, last_row);
        tile[i] = rows[row * call.quads + first_quad + i % TILE_QUADS];
    }
    workgroupBarrier();
}

fn tile_quad(row: u32, quad: u32) -> vec4<f32> {
    return tile[row * TILE_QUADS + quad];
}
