//! 4. Maximum pooling: of each window, the largest number; and unpooling, which puts numbers back in its place.
//!
//! ```text
//! cargo run --release --example layers_max_pooling
//! ```

mod picture;

use picture::{BLUE, Colour, Figure, GREEN, LIGHT, ORANGE, PURPLE, Panel, WHITE, mix, scene};
use retrograd::prelude::*;

fn main() -> Result<()> {
    let folder = picture::folder()?;
    by_hand(&folder)?;
    on_a_picture(&folder)
}

/// A 4×4 picture of whole numbers has four windows of 2×2.
fn by_hand(folder: &std::path::Path) -> Result<()> {
    let rng = &mut StdRng::seed_from_u64(7);
    let x = Tensor::rand([1, 1, 4, 4], 0.0, 100.0, rng)?.map(|x: f32| x.floor());
    println!("a picture:\n{x}");

    // The layer can say where each maximum stood: its place in the picture, counted row by row from 0 to 15.
    let pool = MaxPool2d::new(2);
    let (y, indices) = pool.forward_with_indices(&Var::from(&x))?;
    println!("the largest of each window:\n{y}\nwhere it stood:\n{indices}");

    // Unpooling lays other numbers down in those places, and zeros everywhere else.
    let others = Tensor::rand([1, 1, 2, 2], 0.0, 100.0, rng)?.map(|x: f32| x.floor());
    let back = MaxUnpool2d::new([2, 2]).stride([2, 2]).forward(&Var::from(&others), &indices)?;
    println!("other numbers:\n{others}\nunpooled:\n{back}");

    // The gradient takes the same way: it reaches the maxima, and nothing else has any influence.
    let tape = Tape::new();
    let leaf = tape.leaf(x.clone());
    let gradients = pool.forward(&leaf)?.sum(..)?.backward()?;
    if let Some(gradient) = gradients.wrt(&leaf) {
        println!("the gradient of the sum of the maxima:\n{gradient}\n");
    }

    let places = indices.to_vec();
    let window = |i: usize, j: usize| [BLUE, ORANGE, GREEN, PURPLE][2 * (i / 2) + j / 2];
    let marked = move |rest: fn(Colour) -> Colour| {
        let places = places.clone();
        move |i: usize, j: usize| match places.contains(&((4 * i + j) as i64)) {
            true => window(i, j),
            false => rest(window(i, j)),
        }
    };
    let pooled = move |i: usize, j: usize| window(2 * i, 2 * j);
    Figure::new()
        .row([
            Panel::table(&x, 44, marked(|colour| mix(WHITE, colour, 0.15)))?
                .titled("a picture")
                .noted("four windows of 2×2"),
            Panel::arrow("max pool"),
            Panel::table(y.value(), 44, pooled)?.titled("maxima"),
            Panel::table(&indices, 44, pooled)?.titled("indices"),
            Panel::table(&others, 44, pooled)?.titled("other numbers"),
            Panel::arrow("unpool"),
            Panel::table(back.value(), 44, marked(|_| LIGHT))?
                .titled("unpooled")
                .noted("where the maxima were"),
        ])
        .save(folder, "max_pooling")
}

/// Many become few: 2×2 halves the height and the width, and what stands out stays.
fn on_a_picture(folder: &std::path::Path) -> Result<()> {
    let image = scene(64)?;
    let (half, indices) = MaxPool2d::new(2).forward_with_indices(&Var::from(&image))?;
    let quarter = MaxPool2d::new(2).forward(&half)?;
    let back = MaxUnpool2d::new(2).forward(&half, &indices)?;
    println!("{} pooled is {}, pooled again {}", image.shape(), half.shape(), quarter.shape());
    Figure::new()
        .row([
            Panel::image(&image, 4)?.titled("a picture").noted("64×64"),
            Panel::image(half.value(), 8)?.titled("pooled").noted("32×32"),
            Panel::image(quarter.value(), 16)?.titled("pooled again").noted("16×16"),
            Panel::image(back.value(), 4)?.titled("pooled once, unpooled").noted("64×64, mostly zeros"),
        ])
        .save(folder, "max_pooling_picture")
}
