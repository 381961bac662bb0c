// What kinds of values a tensor has, and their sums. A workgroup owns a contiguous span of quads; the host adds up what
// they leave.

struct Tally {
    nan: u32,
    infinite: u32,
    zero: u32,
    // Values below 0, −∞ included.
    negative: u32,
    // Of the finite values: the least, the largest, their sum, and their sum times 2^-40, which does not overflow.
    least: f32,
    largest: f32,
    sum: f32,
    scaled_sum: f32,
    // Their squares, as `scaled_squares` gives them.
    low: f32,
    middle: f32,
    high: f32,
}

const NEGATIVE: u32 = 0x80000000u;

fn are_finite(quad: u32, values: vec4<f32>) -> vec4<bool> {
    return are_inside(quad) & (unsigned_bits_of(values) < vec4<u32>(INFINITE));
}

// Four values; 0 behind the last one, and for one that is not finite.
fn counted_values(quad: u32) -> vec4<f32> {
    let values = load_values(quad);
    return select(vec4<f32>(), values, are_finite(quad, values));
}

fn ones(are: vec4<bool>) -> vec4<u32> {
    return select(vec4<u32>(), vec4<u32>(1u), are);
}

fn total(counts: vec4<u32>) -> u32 {
    return (counts.x + counts.y) + (counts.z + counts.w);
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn tally(@builtin(workgroup_id) workgroup: vec3<u32>, thread: Thread) {
    let first = workgroup.x * call.span;
    let end = min(first + call.span, (call.length + 3u) / 4u);
    let shrinking = vec4<f32>(power_of_two(-40));
    var nan = vec4<u32>();
    var infinite = vec4<u32>();
    var zero = vec4<u32>();
    var negative = vec4<u32>();
    var least = vec4<f32>(-LOWEST);
    var largest = vec4<f32>(LOWEST);
    var plain_sum = 0.0;
    var scaled_sum = 0.0;
    var squares = vec3<f32>();
    for (var block = first; block < end; block += BLOCK * WORKGROUP_SIZE) {
        let block_end = min(block + BLOCK * WORKGROUP_SIZE, end);
        var block_sum = vec4<f32>();
        var block_scaled_sum = vec4<f32>();
        var block_squares = vec4<f32>();
        for (var quad = block + thread.lane; quad < block_end; quad += WORKGROUP_SIZE) {
            let values = load_values(quad);
            let inside = are_inside(quad);
            let bits = unsigned_bits_of(values);
            let signs = bitcast<vec4<u32>>(values) & vec4<u32>(NEGATIVE);
            nan += ones(inside & (bits > vec4<u32>(INFINITE)));
            infinite += ones(inside & (bits == vec4<u32>(INFINITE)));
            zero += ones(inside & (bits == vec4<u32>()));
            let is_number = (bits > vec4<u32>()) & (bits <= vec4<u32>(INFINITE));
            negative += ones(inside & is_number & (signs != vec4<u32>()));
            let finite = inside & (bits < vec4<u32>(INFINITE));
            least = min(least, select(vec4<f32>(-LOWEST), values, finite));
            largest = max(largest, select(vec4<f32>(LOWEST), values, finite));
            let counted = select(vec4<f32>(), values, finite);
            block_sum += counted;
            block_scaled_sum += counted * shrinking;
            block_squares += counted * counted;
        }
        plain_sum += sum(block_sum);
        scaled_sum += sum(block_scaled_sum);
        squares += scaled_squares(sum(block_squares), block + thread.lane, block_end);
    }
    let all_nan = reduce_add_u32(thread, total(nan));
    let all_infinite = reduce_add_u32(thread, total(infinite));
    let all_zero = reduce_add_u32(thread, total(zero));
    let all_negative = reduce_add_u32(thread, total(negative));
    let least_of_all = -reduce_max(thread, -min(min(least.x, least.y), min(least.z, least.w)));
    let largest_of_all = reduce_max(thread, max(max(largest.x, largest.y), max(largest.z, largest.w)));
    plain_sum = reduce_add(thread, plain_sum);
    scaled_sum = reduce_add(thread, scaled_sum);
    let low = reduce_add(thread, squares.x);
    let middle = reduce_add(thread, squares.y);
    let high = reduce_add(thread, squares.z);
    if (thread.lane == 0u) {
        tallies[call.first_partial + workgroup.x] = Tally(
            all_nan, all_infinite, all_zero, all_negative, least_of_all, largest_of_all, plain_sum, scaled_sum, low,
            middle, high,
        );
    }
}
