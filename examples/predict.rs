//! Classifies images with a network that `train` saved.
//!
//! ```text
//! cargo run --release --example predict -- model.safetensors digit.png     # dark strokes on a light ground
//! cargo run --release --example predict -- model.safetensors 0 17 42       # test images of the digits, by number
//! cargo run --release --example predict -- model.safetensors --data DIR 0  # test images of an IDX directory
//! ```

mod lenet;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;
use lenet::LeNet;
use retrograd::data::{Normalization, read_png, read_tensors};
use retrograd::prelude::*;

/// Classifies images with a saved network.
#[derive(Parser)]
struct Options {
    /// The file that `train` wrote
    model: PathBuf,
    /// PNG files, or numbers of test images
    #[arg(required = true)]
    images: Vec<String>,
    /// The directory of IDX files whose test images the numbers mean; without it, the digits that come with the
    /// crate
    #[arg(long)]
    data: Option<PathBuf>,
    /// Whether the PNG files have light strokes on a dark ground, as the training images do
    #[arg(long)]
    light_on_dark: bool,
}

fn main() -> Result<()> {
    let options = Options::parse();
    let about = About::read(&options.model)?;
    // The weights are about to be replaced; any generator will do.
    let mut model = LeNet::new(about.shape, about.classes, &mut StdRng::seed_from_u64(0))?;
    load(&mut model, &options.model)?;

    // Read when the first number asks for it.
    let mut test: Option<Images> = None;
    for name in &options.images {
        let (image, note) = match name.parse::<usize>() {
            Ok(number) => {
                let test = match &mut test {
                    Some(test) => test,
                    none => none.insert(test_images(&options, &about)?),
                };
                let image = DataLoader::new(test.subset(&[number])?, 1)?.epoch(0).next();
                let (image, label) = image.ok_or_else(|| Error::outside("predict", "an empty batch"))?;
                (image, format!(" (labelled {})", label.item()?))
            }
            Err(_) => (about.picture(name, options.light_on_dark)?, String::new()),
        };
        let probabilities = Var::from(model.predict(&image)?).softmax(1)?.into_value();
        let class = probabilities.argmax(1)?.item()?;
        let certainty = 100.0 * probabilities.amax(..)?.item()?;
        println!("{name}: {class}, {certainty:.1} % certain{note}");
    }
    Ok(())
}

fn test_images(options: &Options, about: &About) -> Result<Images> {
    let (_, test) = match &options.data {
        Some(directory) => Images::from_idx_dir(directory)?,
        None => digits(),
    };
    if test.shape() != about.shape {
        let fact = format!("the model takes images {:?}, the data set has {:?}", about.shape, test.shape());
        return Err(Error::outside("predict", fact));
    }
    test.normalize(&about.normalization)
}

/// What `train` wrote into the file besides the weights.
struct About {
    shape: [usize; 3],
    classes: usize,
    normalization: Normalization,
}

impl About {
    fn read(path: &std::path::Path) -> Result<Self> {
        let header = read_tensors(path)?.metadata;
        Self::parse(&header).ok_or_else(|| {
            let fact = format!("{} was not written by the example `train`: in its header the image shape, the classes or the normalisation are missing or invalid", path.display());
            Error::outside("predict", fact)
        })
    }

    fn parse(header: &BTreeMap<String, String>) -> Option<Self> {
        fn numbers<N: std::str::FromStr>(text: &str) -> Option<Vec<N>> {
            text.split(' ').map(|number| number.parse().ok()).collect()
        }
        let get = |key: &str| header.get(key);
        let (mean, std) = (numbers(get("mean")?)?, numbers(get("std")?)?);
        let shape: [usize; 3] = numbers(get("shape")?)?.try_into().ok()?;
        let classes = get("classes")?.parse().ok()?;
        // A damaged header must not ask for a network of absurd size.
        let pixels = shape.iter().try_fold(1usize, |pixels, &extent| pixels.checked_mul(extent))?;
        let sane = (1..=1 << 16).contains(&pixels) && (1..=1 << 12).contains(&classes);
        let normalization = Normalization::new(get("scale")?.parse().ok()?, &mean, &std).ok()?;
        sane.then_some(Self { shape, classes, normalization })
    }

    /// A PNG as the network expects it: grey, light on dark, in the size of the training images.
    fn picture(&self, path: &str, light_on_dark: bool) -> Result<Tensor> {
        let [_, height, width] = self.shape;
        let grey = read_png(path)?.to_grey();
        let grey = if light_on_dark { grey } else { grey.invert() };
        // Bytes count to 255 in a PNG, whatever the training images count to.
        let normalization = Normalization::new(255.0, self.normalization.mean(), self.normalization.std())?;
        grey.resize(height, width)?.to_tensor(&normalization)
    }
}
