//! 3. Transposed convolution: a convolution's matrix, transposed. It makes small pictures larger.
//!
//! ```text
//! cargo run --release --example layers_transposed
//! ```

mod picture;

use picture::{BLUE, Figure, LIGHT, Panel, WHITE, mix, scene};
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    as_a_matrix(&folder)?;
    upsampling(&folder)
}

/// A convolution is linear, so it is a matrix: from the 16 numbers of a 4×4 picture a 3×3 kernel makes the 4 of a
/// 2×2 one, O = K·I with K of 4×16. The transposed convolution with the same kernel is Kᵀ, from 4 numbers to 16.
fn as_a_matrix(folder: &std::path::Path) -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(0);
    let kernel: Tensor = Tensor::from([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]]);
    let mut conv: Conv2d = Conv2d::new(1, 1, 3).bias(false).build(rng)?;
    let mut transposed: ConvTranspose2d = ConvTranspose2d::new(1, 1, 3).bias(false).build(rng)?;
    *conv.weight.value_mut() = kernel.clone();
    *transposed.weight.value_mut() = kernel.clone();

    // What the convolution makes of a picture that is 1 in one place and 0 elsewhere is a column of K. The 16 such
    // pictures are the rows of the unit matrix, here as one batch.
    let unit: Tensor =
        Tensor::from_vec((0..256).map(|i| if i % 17 == 0 { 1.0 } else { 0.0 }).collect(), [16, 1, 4, 4])?;
    let columns = conv.predict(&unit)?.reshape(&[16, 4])?;
    let k = columns.transpose(0, 1)?;
    println!("the kernel:\n{}\nthe convolution as a matrix K:\n{k}", kernel.reshape(&[3, 3])?);

    let small: Tensor = Tensor::from([[[1.0, 2.0], [3.0, 4.0]]]);
    let large = transposed.predict(&small)?;
    println!("\na small picture I:\n{small}\nthe transposed convolution makes it larger:\n{large}");
    let product = k.transpose(0, 1)?.matmul(&small.reshape(&[4, 1])?)?.reshape(&[1, 4, 4])?;
    println!("is it Kᵀ·I? {}", product == large);

    // Larger is not the same as undone: the convolution of it is not the small picture. K·Kᵀ is not the unit matrix.
    let back = conv.predict(&large)?;
    println!("convolved again, K·Kᵀ·I:\n{back}\nthe transpose is not the inverse: {}", back != small);

    let shade = |tensor: &Tensor| {
        let (values, columns) = (tensor.to_vec(), tensor.shape()[tensor.rank() - 1]);
        let largest = values.iter().fold(0.0f32, |a, &b| a.max(b));
        move |i: usize, j: usize| match values[i * columns + j] {
            0.0 => LIGHT,
            value => mix(WHITE, BLUE, 0.1 + 0.6 * value / largest),
        }
    };
    let table = |tensor: &Tensor| Panel::table(tensor, 38, shade(tensor));
    Figure::new()
        .row([
            table(&small)?.titled("I").noted("2×2"),
            Panel::arrow("transposed"),
            table(&large)?.titled("Kᵀ · I").noted("4×4"),
            Panel::arrow("convolution"),
            table(&back)?.titled("K · Kᵀ · I").noted("2×2, but not I"),
            table(&kernel)?.titled("the kernel of both").noted("3×3"),
        ])
        .row([table(&k)?
            .titled("K, the convolution from 4×4 to 2×2 as a matrix")
            .noted("a row for each output, a column for each input")])
        .save(folder, "transposed_matrix")
}

/// Each extent becomes (extent − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1. With stride 2 a
/// pixel is laid down every second place; where the kernels overlap, they add up, which shows as a chequered pattern.
fn upsampling(folder: &std::path::Path) -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(6);
    let image = scene(32)?;
    let conv = ConvTranspose2d::new(3, 1, 3).stride(2).bias(false).init(XavierNormal::default());
    let mut conv: ConvTranspose2d = conv.build(rng)?;
    let random = conv.predict(&image)?;
    println!("\n{} with a weight {} gives {}", image.shape(), conv.weight.value().shape(), random.shape());
    println!("(32 − 1)·2 − 2·0 + 1·(3 − 1) + 0 + 1 = {}", 31 * 2 + 2 + 1);

    // A tent: what lies between two pixels is their mean. This kernel interpolates; the grey is the mean of colours.
    let tent: Tensor = Tensor::from([[0.25, 0.5, 0.25], [0.5, 1.0, 0.5], [0.25, 0.5, 0.25]]);
    *conv.weight.value_mut() = tent.map(|w| w / 3.0).broadcast_to([3, 1, 3, 3])?;
    let smooth = conv.predict(&image)?;
    Figure::new()
        .row([
            Panel::image(&image, 8)?.titled("a picture").noted("3 channels of 32×32"),
            Panel::arrow(""),
            Panel::signed(&random, 4)?.titled("weights drawn at random").noted("1 channel of 65×65"),
            Panel::image(&smooth, 4)?.titled("a kernel that interpolates").noted("1 channel of 65×65"),
        ])
        .save(folder, "transposed_upsampling")
}
