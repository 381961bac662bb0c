// A product of two sides by strips: of rows × depth on the left with depth × columns on the right, as lib/tile.wgsl has
// it, for workgroups too small for that. A sum over the depth for each row and column; a workgroup has those of 16 rows
// and of 4·COLUMN_BLOCKS columns a lane.
//
// A lane holds the sums of all 16 rows with its columns, and reads its columns' part of the right side itself. What the
// rows have on the left all lanes need alike: each reads some of that, and a share file hands it to the others.
//
// What a kernel gives, and LEFT_ALONG and RIGHT_ALONG, are as in lib/tile.wgsl; what it gets has the same names.

const ROW_QUADS: u32 = 4u;
const TILE_ROWS: u32 = 4u * ROW_QUADS;
const TILE_COLUMNS: u32 = 4u * COLUMN_BLOCKS * WORKGROUP_SIZE;
const TILE_DEPTH: u32 = 4u;

// Quads of the rows at four places of the depth, and how many of them a lane reads.
const LEFT_QUADS: u32 = 4u * ROW_QUADS;
const LEFT_SLOTS: u32 = (LEFT_QUADS + WORKGROUP_SIZE - 1u) / WORKGROUP_SIZE;

var<private> own_left: array<vec4<f32>, LEFT_SLOTS>;

// The sums: of four rows and a block of columns a column for each row. Loops over arrays of the same length are
// unrolled, and the arrays become registers.
var<private> total: array<mat4x4<f32>, ROW_QUADS * COLUMN_BLOCKS>;

fn fetch_left(thread: Thread, row: u32, depth: u32) {
    for (var slot = 0u; slot < LEFT_SLOTS; slot++) {
        let number = min(slot * WORKGROUP_SIZE + thread.lane, LEFT_QUADS - 1u);
        let line = select(4u * (number / 4u), number, LEFT_ALONG);
        let place = select(number % 4u, 0u, LEFT_ALONG);
        own_left[slot] = load_left(slot, row + line, depth + place);
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
fn add_products(sums: mat4x4<f32>, left: vec4<f32>, right: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(
        fma(vec4<f32>(left.x), right, sums[0]),
        fma(vec4<f32>(left.y), right, sums[1]),
        fma(vec4<f32>(left.z), right, sums[2]),
        fma(vec4<f32>(left.w), right, sums[3]),
    );
}

// Leaves in `total` the sums over a range of the depth, for the strip that begins at a row and a column. All lanes of a
// workgroup call it alike.
fn multiply(thread: Thread, row: u32, column: u32, first_depth: u32, end: u32) {
    for (var i = 0u; i < ROW_QUADS * COLUMN_BLOCKS; i++) {
        total[i] = mat4x4<f32>();
    }
    for (var depth = first_depth; depth < end; depth += TILE_DEPTH) {
        fetch_left(thread, row, depth);
        share_left(thread);
        for (var block = 0u; block < COLUMN_BLOCKS; block++) {
            let right = right_block(block, column + own_column(thread, block), depth);
            for (var quad = 0u; quad < ROW_QUADS; quad++) {
                let left = left_block(thread, quad);
                let place = quad * COLUMN_BLOCKS + block;
                var sums = total[place];
                sums = add_products(sums, left[0], right[0]);
                sums = add_products(sums, left[1], right[1]);
                sums = add_products(sums, left[2], right[2]);
                total[place] = add_products(sums, left[3], right[3]);
            }
        }
    }
}

// The first of a lane's rows, and of four columns of a block, in the strip.
fn own_row(thread: Thread) -> u32 {
    return 0u;
}

fn own_column(thread: Thread, block: u32) -> u32 {
    return 4u * (block * WORKGROUP_SIZE + thread.lane);
}
