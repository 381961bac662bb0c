// The walks of lib/walk.wgsl by quads, four columns in one load: for rows of a multiple of four classes that begin at a
// multiple of four.

// Four cells.
struct Quad {
    column: u32,
    logits: vec4<f32>,
    seconds: vec4<f32>,
}

fn load_quad(row: Row, column: u32, logits: vec4<f32>) -> Quad {
    var quad = Quad(column, logits, vec4<f32>());
    if (PER_CLASS) {
        for (var i = 0u; i < 4u; i++) {
            quad.seconds[i] = load_upstream(row.value_base + column + i);
        }
    } else {
        quad.seconds = load_second_quad((row.second_base + column) / 4u);
    }
    return quad;
}

// The quad with its logits as the first walk kept them.
fn kept_quad(row: Row, column: u32) -> Quad {
    return load_quad(row, column, kept_logits(row, column));
}

fn cell_in(quad: Quad, i: u32) -> Cell {
    return cell_of(quad.column + i, quad.logits[i], quad.seconds[i]);
}

fn read_quad(row: Row, column: u32) -> Quad {
    let logits = load_first_quad((row.base + column) / 4u);
    keep_logits(column, logits);
    return load_quad(row, column, logits);
}

// The largest bits without their sign.
fn unsigned_bits(logits: vec4<f32>) -> u32 {
    let bits = bitcast<vec4<u32>>(logits) << vec4<u32>(1u);
    return max(max(bits.x, bits.y), max(bits.z, bits.w));
}

fn state_of_quad(row: Row, quad: Quad) -> State {
    if (SOFTMAX && !SECOND_SOFTMAX && !SUMS && !CHECKS_CLASSES) {
        return State(softmax_of_quad(quad), no_state().second, vec2<f32>(), FINE);
    }
    let low = merge(state_of(row, cell_in(quad, 0u)), state_of(row, cell_in(quad, 1u)));
    return merge(low, merge(state_of(row, cell_in(quad, 2u)), state_of(row, cell_in(quad, 3u))));
}

// The same for a softmax alone, with fewer steps: the largest of four, and the powers of the three others.
fn softmax_of_quad(quad: Quad) -> Softmax {
    let x = max(quad.logits, vec4<f32>(LOWEST));
    let larger = max(x.xz, x.yw);
    let smaller = min(x.xz, x.yw);
    let maximum = max(larger.x, larger.y);
    let is = x == vec4<f32>(maximum);
    let place = select(select(select(3u, 2u, is.z), 1u, is.y), 0u, is.x);
    let others = exp_nonpositive(-distance_of(min(larger.x, larger.y), maximum))
        + (exp_nonpositive(-distance_of(smaller.x, maximum)) + exp_nonpositive(-distance_of(smaller.y, maximum)));
    return Softmax(maximum, quad.column + place, others);
}

fn walk(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> State {
    let step = 4u * lanes;
    var total = no_state();
    var unsigned = 0u;
    for (var block_start = first + 4u * lane; block_start < end; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, end);
        let quad = read_quad(row, block_start);
        unsigned = max(unsigned, unsigned_bits(quad.logits));
        var block = state_of_quad(row, quad);
        for (var column = block_start + step; column < block_end; column += step) {
            let quad = read_quad(row, column);
            unsigned = max(unsigned, unsigned_bits(quad.logits));
            block = merge(block, state_of_quad(row, quad));
        }
        total = join(total, block);
    }
    return with_nan(total, unsigned);
}

fn walk_middle(row: Row, first: u32, end: u32, lane: u32, lanes: u32) -> vec3<f32> {
    let step = 4u * lanes;
    var total = vec3<f32>();
    for (var block_start = first + 4u * lane; block_start < end; block_start += BLOCK * lanes) {
        let block_end = min(block_start + BLOCK * lanes, end);
        var block = vec3<f32>();
        for (var column = block_start; column < block_end; column += step) {
            let quad = kept_quad(row, column);
            block += (middle_sums(row, cell_in(quad, 0u)) + middle_sums(row, cell_in(quad, 1u)))
                + (middle_sums(row, cell_in(quad, 2u)) + middle_sums(row, cell_in(quad, 3u)));
        }
        total += block;
    }
    return total;
}
