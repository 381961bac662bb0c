// Gradients times a number on the device.

fn argument() -> f32 {
    return factor[0];
}

fn is_identity(scale: f32) -> bool {
    return bitcast<u32>(scale) == 0x3f800000u;
}

fn mapped(values: vec4<f32>, scale: f32) -> vec4<f32> {
    return values * scale;
}
