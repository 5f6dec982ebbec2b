// Random faults with a master and a replica that Sentinels watch: what is lost was the dead
// master's alone, and everybody is told.
import { only } from '../lib/harness.mjs';
import { testFaults } from '../lib/chaos.mjs';

only('single', 'it starts servers of its own');
testFaults('sentinel', { seed: 19, faults: 4, has: ['master killed'] });
