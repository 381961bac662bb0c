//! A transformer that foretells the next character.

use burn::{
    module::Module,
    nn::{
        Embedding, EmbeddingConfig, Linear, LinearConfig,
        attention::generate_autoregressive_mask,
        transformer::{TransformerEncoder, TransformerEncoderConfig, TransformerEncoderInput},
    },
    tensor::{Device, Int, Tensor},
};

/// How many characters the network sees at most.
pub const CONTEXT: usize = 64;
const WIDTH: usize = 64;
const HEADS: usize = 4;
const LAYERS: usize = 2;

#[derive(Module, Debug)]
pub struct LanguageModel {
    characters: Embedding,
    places: Embedding,
    layers: TransformerEncoder,
    output: Linear,
}

impl LanguageModel {
    pub fn new(vocabulary: usize, device: &Device) -> Self {
        // Without dropout, so that two runs differ in nothing but their loss.
        let layers =
            TransformerEncoderConfig::new(WIDTH, 4 * WIDTH, HEADS, LAYERS).with_dropout(0.0).with_norm_first(true);
        LanguageModel {
            characters: EmbeddingConfig::new(vocabulary, WIDTH).init(device),
            places: EmbeddingConfig::new(CONTEXT, WIDTH).init(device),
            layers: layers.init(device),
            output: LinearConfig::new(WIDTH, vocabulary).init(device),
        }
    }

    /// Logits of the next character behind each one: of `[N, T]` characters `[N·T, C]`.
    pub fn logits(&self, characters: Tensor<2, Int>) -> Tensor<2> {
        let ([count, length], device) = (characters.dims(), characters.device());
        let places = Tensor::<1, Int>::arange(0..length as i64, &device).unsqueeze::<2>();
        let embedded = self.characters.forward(characters) + self.places.forward(places);
        let mask = generate_autoregressive_mask(count, length, &device);
        let encoded = self.layers.forward(TransformerEncoderInput::new(embedded).mask_attn(mask));
        self.output.forward(encoded.flatten::<2>(0, 1))
    }
}
