// A product of two sides by register tiles: of rows × depth on the left with depth × columns on the right. A sum over
// the depth for each row and column; a workgroup has those of a tile of rows and columns.
//
// Shapes. A block is four by four. A lane holds the sums of 4 rows × 4·COLUMN_BLOCKS columns in its registers. The
// lanes lie in a grid, COLUMN_LANES of them side by side, so that a workgroup has 4·ROW_LANES rows and
// 4·COLUMN_LANES·COLUMN_BLOCKS columns. Of the depth, a tile in workgroup memory has TILE_STEPS blocks. For a place of
// the depth a lane reads two quads there, for 16 multiply-adds (4 × 4 sums), or three for 32 (4 × 8 sums).
//
// Each side comes by quads, along the depth or across it, and lies in workgroup memory as it comes: a lane reads the
// four quads of a block, and to transpose a block in registers costs nothing. While a tile is multiplied, the next one
// is on its way from memory into registers.
//
// Sizes are constants of the header: COLUMN_LANES, COLUMN_BLOCKS, TILE_STEPS, and LEFT_ALONG and RIGHT_ALONG, whether a
// side's quads lie along the depth. A kernel gives, with rows, columns and depth counted one by one,
//
//   fn load_left(slot: u32, row: u32, depth: u32) -> vec4<f32>
//   fn load_right(slot: u32, column: u32, depth: u32) -> vec4<f32>
//   fn add_product(sum: vec4<f32>, left: f32, right: vec4<f32>, block: u32, row: u32) -> vec4<f32>
//
// The first two load the quad that begins there, in its side's direction; behind the end of the depth what adds
// nothing, so zeros on one side at least. The last adds one place of the depth to the sums of a row with four columns:
// in which of the lane's blocks, and which of its four rows. A slot is a lane's own in every tile: what it is given
// there is of the same row, or the same four.

const ROW_LANES: u32 = WORKGROUP_SIZE / COLUMN_LANES;
const TILE_ROWS: u32 = 4u * ROW_LANES;
const TILE_COLUMNS: u32 = 4u * COLUMN_LANES * COLUMN_BLOCKS;
const TILE_DEPTH: u32 = 4u * TILE_STEPS;

// Quads of a tile's sides, and how many of them a lane moves.
const LEFT_QUADS: u32 = TILE_ROWS * TILE_STEPS;
const RIGHT_QUADS: u32 = TILE_COLUMNS * TILE_STEPS;
const LEFT_SLOTS: u32 = (LEFT_QUADS + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;
const RIGHT_SLOTS: u32 = (RIGHT_QUADS + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;

// The blocks of a step, by the quad of a block, so that lanes side by side read quads side by side. The gap brings the
// quads of different steps, which are stored at once where a side comes along the depth, to different banks.
struct LeftStep {
    quads: array<array<vec4<f32>, ROW_LANES>, 4>,
    gap: array<vec4<f32>, 2>,
}

struct RightStep {
    quads: array<array<array<vec4<f32>, COLUMN_LANES>, COLUMN_BLOCKS>, 4>,
    gap: array<vec4<f32>, 2>,
}

var<workgroup> left_tile: array<LeftStep, TILE_STEPS>;
var<workgroup> right_tile: array<RightStep, TILE_STEPS>;

// The quads of the next tile that a lane moves.
var<private> next_left: array<vec4<f32>, LEFT_SLOTS>;
var<private> next_right: array<vec4<f32>, RIGHT_SLOTS>;

// The sums: of each block of columns a column for each row. Loops over arrays of the same length are unrolled, and the
// arrays become registers.
var<private> total: array<mat4x4<f32>, COLUMN_BLOCKS>;

// Where a quad stands in a tile: the step, the quad of a block, and which block of the step.
struct TilePlace {
    step: u32,
    quad: u32,
    block: u32,
}

// The place of one of a side's quads, so numbered that lanes side by side read memory side by side.
fn tile_place(number: u32, blocks: u32, along: bool) -> TilePlace {
    if (along) {
        let line = number / TILE_STEPS;
        return TilePlace(number % TILE_STEPS, line / blocks, line % blocks);
    }
    let depth = number / blocks;
    return TilePlace(depth / 4u, depth % 4u, number % blocks);
}

// The row or column of the tile with which a quad begins, and its depth.
fn line_of(place: TilePlace, along: bool) -> u32 {
    return 4u * place.block + select(0u, place.quad, along);
}

fn depth_of(place: TilePlace, along: bool) -> u32 {
    return 4u * place.step + select(place.quad, 0u, along);
}

fn left_place(thread: Thread, slot: u32) -> TilePlace {
    return tile_place(slot * WORKGROUP_SIZE + thread.lane, ROW_LANES, LEFT_ALONG);
}

fn right_place(thread: Thread, slot: u32) -> TilePlace {
    return tile_place(slot * WORKGROUP_SIZE + thread.lane, COLUMN_LANES * COLUMN_BLOCKS, RIGHT_ALONG);
}

// Whether a lane has a quad in a slot; the last slot need not be full.
fn has_slot(thread: Thread, slot: u32, quads: u32) -> bool {
    return quads % WORKGROUP_SIZE == 0u || slot * WORKGROUP_SIZE + thread.lane < quads;
}

// Reads a tile from memory into registers.
fn fetch_tile(thread: Thread, row: u32, column: u32, depth: u32) {
    for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
        if (has_slot(thread, slot, LEFT_QUADS)) {
            let place = left_place(thread, slot);
            let own_row = row + line_of(place, LEFT_ALONG);
            next_left[slot] = load_left(slot, own_row, depth + depth_of(place, LEFT_ALONG));
        }
    }
    for (var slot = 0u; slot < RIGHT_SLOTS; slot++) {
        if (has_slot(thread, slot, RIGHT_QUADS)) {
            let place = right_place(thread, slot);
            let own_column = column + line_of(place, RIGHT_ALONG);
            next_right[slot] = load_right(slot, own_column, depth + depth_of(place, RIGHT_ALONG));
        }
    }
}

// From registers into workgroup memory.
fn put_left(thread: Thread) {
    for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
        if (has_slot(thread, slot, LEFT_QUADS)) {
            let place = left_place(thread, slot);
            left_tile[place.step].quads[place.quad][place.block] = next_left[slot];
        }
    }
}

fn put_right(thread: Thread) {
    for (var slot = 0u; slot < RIGHT_SLOTS; slot++) {
        if (has_slot(thread, slot, RIGHT_QUADS)) {
            let place = right_place(thread, slot);
            let block = place.block / COLUMN_LANES;
            right_tile[place.step].quads[place.quad][block][place.block % COLUMN_LANES] = next_right[slot];
        }
    }
}

// A block by places of the depth, whichever way its quads lie.
fn by_depth(quads: mat4x4<f32>, along: bool) -> mat4x4<f32> {
    if (along) {
        return transpose(quads);
    }
    return quads;
}

fn left_block(step: u32, row_lane: u32) -> mat4x4<f32> {
    let quads = mat4x4<f32>(
        left_tile[step].quads[0][row_lane],
        left_tile[step].quads[1][row_lane],
        left_tile[step].quads[2][row_lane],
        left_tile[step].quads[3][row_lane],
    );
    return by_depth(quads, LEFT_ALONG);
}

fn right_block(step: u32, block: u32, column_lane: u32) -> mat4x4<f32> {
    let quads = mat4x4<f32>(
        right_tile[step].quads[0][block][column_lane],
        right_tile[step].quads[1][block][column_lane],
        right_tile[step].quads[2][block][column_lane],
        right_tile[step].quads[3][block][column_lane],
    );
    return by_depth(quads, RIGHT_ALONG);
}

// One place of the depth, of four rows and four columns.
fn add_products(block: u32, left: vec4<f32>, right: vec4<f32>) {
    total[block] = mat4x4<f32>(
        add_product(total[block][0], left.x, right, block, 0u),
        add_product(total[block][1], left.y, right, block, 1u),
        add_product(total[block][2], left.z, right, block, 2u),
        add_product(total[block][3], left.w, right, block, 3u),
    );
}

fn multiply_tile(row_lane: u32, column_lane: u32) {
    for (var step = 0u; step < TILE_STEPS; step++) {
        let left = left_block(step, row_lane);
        for (var block = 0u; block < COLUMN_BLOCKS; block++) {
            let right = right_block(step, block, column_lane);
            add_products(block, left[0], right[0]);
            add_products(block, left[1], right[1]);
            add_products(block, left[2], right[2]);
            add_products(block, left[3], right[3]);
        }
    }
}

// Leaves in `total` the sums over a range of the depth, for the tile that begins at a row and a column. All lanes of a
// workgroup call it alike. A tile is stored behind a barrier, after which no lane reads the one before, and read behind
// another, before which every lane has stored its quads.
fn multiply(thread: Thread, row: u32, column: u32, first_depth: u32, end: u32) {
    for (var block = 0u; block < COLUMN_BLOCKS; block++) {
        total[block] = mat4x4<f32>();
    }
    fetch_tile(thread, row, column, first_depth);
    for (var depth = first_depth; depth < end; depth += TILE_DEPTH) {
        workgroupBarrier();
        put_left(thread);
        put_right(thread);
        workgroupBarrier();
        if (depth + TILE_DEPTH < end) {
            fetch_tile(thread, row, column, depth + TILE_DEPTH);
        }
        multiply_tile(thread.lane / COLUMN_LANES, thread.lane % COLUMN_LANES);
    }
}

// The first of a lane's four rows, and of four columns of a block, in the tile.
fn own_row(thread: Thread) -> u32 {
    return 4u * (thread.lane / COLUMN_LANES);
}

fn own_column(thread: Thread, block: u32) -> u32 {
    return 4u * (block * COLUMN_LANES + thread.lane % COLUMN_LANES);
}
