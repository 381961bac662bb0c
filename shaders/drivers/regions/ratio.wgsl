// Losses that are ratios of a region's sums: what the hook region_loss gives, and how to make it.

// What is lost with a score, and its derivatives.
struct Outcome {
    loss: f32,
    slopes: Region,
}

// M / (k·overlap + M + smooth) with M = α·(false positives) + β·(false negatives): 1 less a ratio of overlap, which
// would cancel. A region that is empty on both sides, 0/0, loses nothing.
fn ratio_loss(region: Region, k: f32, alpha: f32, beta: f32) -> Outcome {
    var weights = vec2<f32>(alpha, beta);
    if (COMPILED_SQUARED != 0u) {
        // P − I is ½·(Σ(p − t)² + Σ(p² − t²)), and T − I the same with their difference.
        weights = 0.5 * vec2<f32>(alpha + beta, alpha - beta);
    }
    let missed = dot(weights, region.misses);
    let kept = k * region.overlap + params.smooth_;
    let whole = kept + missed;
    if (is_negligible(whole)) {
        return Outcome();
    }
    let root = square_root_of_unit();
    let slopes = root * (root * vec2<f32>((kept / whole) / whole, -k * (missed / whole) / whole));
    return Outcome(missed / whole, Region(bounded(slopes.x) * weights, bounded(slopes.y)));
}

// The slope of next to nothing is beyond f32, and infinity times a target of 0 would be NaN. NaN stays NaN.
fn bounded(slope: f32) -> f32 {
    let is_large = (bitcast<u32>(slope) & 0x7fffffffu) > bitcast<u32>(MOST_SLOPE);
    return select(slope, select(MOST_SLOPE, -MOST_SLOPE, slope < 0.0), is_large && !is_nan(slope));
}

const MOST_SLOPE: f32 = 1e30;
