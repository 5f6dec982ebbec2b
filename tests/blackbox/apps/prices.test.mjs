// A page that only listens.
import { scenes, until } from '../lib/apps.mjs';

scenes('prices', async ({ page, open }) => {
  const [ann, bob] = [page(open()), page(open())];
  await until(() => ann.prices.ACME > 100 && bob.prices.ACME > 100);
  const before = ann.prices.ACME;
  await until(() => ann.prices.ACME > before + 1 && bob.prices.ACME > before + 1);
});
