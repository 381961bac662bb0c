// A product of two sides by strips: of rows × depth on the left with depth × columns on the right, as lib/tile.wgsl has
// it, for workgroups too small for that. A sum over the depth for each row and column; a workgroup has those of 16 rows
// and of 4·COLUMN_BLOCKS columns a lane.
//
// A lane holds the sums of all 16 rows with its columns, and reads its columns' part of the right side itself. What the
// rows have on the left all lanes need alike: each reads some of that, and a share file hands it to the others.
//
// COLUMN_BLOCKS is 2. LEFT_ALONG, RIGHT_ALONG, and load_left and load_right, which a kernel gives, are as in
// lib/tile.wgsl; besides it gives
//
//   fn put_block(sums: mat4x4<f32>, row: u32, column: u32)

const ROW_QUADS: u32 = 4u;
const TILE_ROWS: u32 = 4u * ROW_QUADS;
const TILE_COLUMNS: u32 = 4u * COLUMN_BLOCKS * WORKGROUP_SIZE;
const TILE_DEPTH: u32 = 4u;

// Quads of the rows at four places of the depth, and how many of them a lane reads.
const LEFT_QUADS: u32 = 4u * ROW_QUADS;
const LEFT_SLOTS: u32 = (LEFT_QUADS + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;

var<private> own_left: array<vec4<f32>, LEFT_SLOTS>;

// The sums: of four rows and a block of columns a column for each row. All indices of it and of own_left are constants
// once functions are inlined, so that both become registers: loops over them would cost a CPU's compiler four fifths of
// the speed.
var<private> total: array<mat4x4<f32>, ROW_QUADS * COLUMN_BLOCKS>;

fn fetch_slot(thread: Thread, slot: u32, row: u32, depth: u32) {
    let number = min(slot * WORKGROUP_SIZE + thread.lane, LEFT_QUADS - 1u);
    let line = select(4u * (number / 4u), number, LEFT_ALONG);
    let place = select(number % 4u, 0u, LEFT_ALONG);
    own_left[slot] = load_left(slot, row + line, depth + place);
}

fn fetch_left(thread: Thread, row: u32, depth: u32) {
    fetch_slot(thread, 0u, row, depth);
    if (LEFT_SLOTS > 1u) {
        fetch_slot(thread, LEFT_SLOTS - 1u, row, depth);
    }
    if (LEFT_SLOTS > 2u) {
        fetch_slot(thread, LEFT_SLOTS / 2u, row, depth);
        fetch_slot(thread, LEFT_SLOTS / 2u - 1u, row, depth);
    }
}

// Four rows at four places of the depth, by the latter.
fn left_block(thread: Thread, quad: u32) -> mat4x4<f32> {
    let quads = mat4x4<f32>(
        left_quad(4u * quad),
        left_quad(4u * quad + 1u),
        left_quad(4u * quad + 2u),
        left_quad(4u * quad + 3u),
    );
    if (LEFT_ALONG) {
        return transpose(quads);
    }
    return quads;
}

// The same of four columns.
fn right_block(block: u32, column: u32, depth: u32) -> mat4x4<f32> {
    if (RIGHT_ALONG) {
        return transpose(mat4x4<f32>(
            load_right(block, column, depth),
            load_right(block, column + 1u, depth),
            load_right(block, column + 2u, depth),
            load_right(block, column + 3u, depth),
        ));
    }
    return mat4x4<f32>(
        load_right(block, column, depth),
        load_right(block, column, depth + 1u),
        load_right(block, column, depth + 2u),
        load_right(block, column, depth + 3u),
    );
}

// One place of the depth, of four rows and four columns.
fn add_products(place: u32, left: vec4<f32>, right: vec4<f32>) {
    total[place] = mat4x4<f32>(
        fma(vec4<f32>(left.x), right, total[place][0]),
        fma(vec4<f32>(left.y), right, total[place][1]),
        fma(vec4<f32>(left.z), right, total[place][2]),
        fma(vec4<f32>(left.w), right, total[place][3]),
    );
}

// Four places of the depth, of four rows and of two blocks of columns.
fn add_blocks(thread: Thread, quad: u32, right: mat4x4<f32>, other: mat4x4<f32>) {
    let left = left_block(thread, quad);
    let place = COLUMN_BLOCKS * quad;
    add_products(place, left[0], right[0]);
    add_products(place, left[1], right[1]);
    add_products(place, left[2], right[2]);
    add_products(place, left[3], right[3]);
    add_products(place + 1u, left[0], other[0]);
    add_products(place + 1u, left[1], other[1]);
    add_products(place + 1u, left[2], other[2]);
    add_products(place + 1u, left[3], other[3]);
}

// Leaves in `total` the sums over a range of the depth, for the strip that begins at a row and a column. All lanes of a
// workgroup call it alike.
fn multiply(thread: Thread, row: u32, column: u32, first_depth: u32, end: u32) {
    total = array<mat4x4<f32>, ROW_QUADS * COLUMN_BLOCKS>();
    for (var depth = first_depth; depth < end; depth += TILE_DEPTH) {
        fetch_left(thread, row, depth);
        share_left(thread);
        let right = right_block(0u, column + own_column(thread, 0u), depth);
        let other = right_block(1u, column + own_column(thread, 1u), depth);
        add_blocks(thread, 0u, right, other);
        add_blocks(thread, 1u, right, other);
        add_blocks(thread, 2u, right, other);
        add_blocks(thread, 3u, right, other);
    }
}

// The first of four columns of a lane's block, in the strip.
fn own_column(thread: Thread, block: u32) -> u32 {
    return 4u * (block * WORKGROUP_SIZE + thread.lane);
}

fn put_rows_of(thread: Thread, quad: u32, row: u32, column: u32) {
    put_block(total[COLUMN_BLOCKS * quad], row + 4u * quad, column + own_column(thread, 0u));
    put_block(total[COLUMN_BLOCKS * quad + 1u], row + 4u * quad, column + own_column(thread, 1u));
}

// Gives the sums to put_block, four rows and four columns at a time.
fn put_sums(thread: Thread, row: u32, column: u32) {
    put_rows_of(thread, 0u, row, column);
    put_rows_of(thread, 1u, row, column);
    put_rows_of(thread, 2u, row, column);
    put_rows_of(thread, 3u, row, column);
}
