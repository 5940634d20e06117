//! 5. Average pooling: of each window, the mean; or the sum over a divisor of one's own.
//!
//! ```text
//! cargo run --release --example layers_average_pooling
//! ```

mod picture;

use std::num::NonZeroI64;

use picture::{BLUE, Figure, GREEN, ORANGE, PURPLE, Panel, WHITE, mix, scene};
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    by_hand(&folder)?;
    on_a_picture(&folder)
}

/// A 4×4 picture of ones, in windows of 2×2.
fn by_hand(folder: &std::path::Path) -> Result<()> {
    let ones: Tensor = Tensor::ones([1, 4, 4])?;
    let mean = AvgPool2d::new(2).predict(&ones)?;
    println!("ones:\n{ones}\nthe mean of each window, 4/4:\n{mean}");

    // Divided by 3 instead of by the four numbers of a window, whatever it covers.
    let three = NonZeroI64::new(3).ok_or_else(|| Error::new("example", "3 is not zero"))?;
    let thirds = AvgPool2d::new(2).divisor_override(three).predict(&ones)?;
    println!("with a divisor of 3, 4/3:\n{thirds}");

    // Zeros around: in each corner a window of 2×2 holds a single one. Do the zeros count?
    let padded = AvgPool2d::new(2).padding(1);
    let counted = padded.predict(&ones)?;
    let left_out = padded.count_include_pad(false).predict(&ones)?;
    println!("padding 1, the zeros count:\n{counted}\nthey do not:\n{left_out}\n");

    let of = |size: usize| {
        move |i: usize, j: usize| {
            mix(WHITE, [BLUE, ORANGE, GREEN, PURPLE][2 * (2 * i / size) + 2 * j / size], 0.3)
        }
    };
    let flat = |_: usize, _: usize| mix(WHITE, BLUE, 0.12);
    Figure::new()
        .row([
            Panel::table(&ones, 44, of(4))?.titled("ones").noted("four windows of 2×2"),
            Panel::arrow("avg pool"),
            Panel::table(&mean, 44, of(2))?.titled("mean").noted("4/4"),
            Panel::table(&thirds, 44, of(2))?.titled("divisor 3").noted("4/3"),
            Panel::table(&counted, 44, flat)?.titled("padding 1").noted("the zeros count"),
            Panel::table(&left_out, 44, flat)?.titled("padding 1").noted("they do not"),
        ])
        .save(folder, "average_pooling")
}

/// The mean smooths; the maximum keeps what is brightest.
fn on_a_picture(folder: &std::path::Path) -> Result<()> {
    let image = scene(64)?;
    let half = AvgPool2d::new(2).predict(&image)?;
    let eighth = AvgPool2d::new(8).predict(&image)?;
    let brightest = MaxPool2d::new(8).predict(&image)?;
    println!("{}: windows of 2×2 give {}, of 8×8 {}", image.shape(), half.shape(), eighth.shape());
    Figure::new()
        .row([
            Panel::image(&image, 4)?.titled("a picture").noted("64×64"),
            Panel::image(&half, 8)?.titled("mean of 2×2").noted("32×32"),
            Panel::image(&eighth, 32)?.titled("mean of 8×8").noted("8×8"),
            Panel::image(&brightest, 32)?.titled("maximum of 8×8").noted("8×8"),
        ])
        .save(folder, "average_pooling_picture")
}
