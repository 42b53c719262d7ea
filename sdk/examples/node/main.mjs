#!/usr/bin/env node
import {serve} from './anteroom/serve.mjs';
import connector from './connector.mjs';

serve(connector);
